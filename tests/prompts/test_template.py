"""What is put around a prompt: the subject stays where it is, exactly, and a run remembers it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import HEADER
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from mlxjsd.assets.recipe.tokenizer import BOS, EOS, train_tokenizer
from mlxjsd.cli.options import break_lines
from mlxjsd.errors import InputError
from mlxjsd.prompts.chat_template import Chat
from mlxjsd.prompts.encode import Encoder, Unusable
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.prompts.template import fill
from mlxjsd.run.resume import job_of
from mlxjsd.settings import Settings
from mlxjsd.store.folders import run_folder
from mlxjsd.store.reader import read_header
from mlxjsd.store.writer import FILE, Store
from mlxjsd.tui.protocol import Job

ASKED = Prompt("p", "What is the capital of Norland?", "Norland")
#: Holds the prompt's own words, and its subject, on both sides.
TEMPLATE = "Norland? What is the capital of Norland?\nQuestion: {prompt}\nNorland's answer:"
PLAIN_CHAT = (
    "{{ bos_token }}{% for message in messages %}<|turn|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)
#: As Llama's: a system turn, stripped content; and words of the prompt itself.
WORDY_CHAT = (
    "{{ bos_token }}<|turn|>system\nWhat is the capital of Norland? Norland is a country.<|end|>\n"
    "{% for message in messages %}<|turn|>{{ message['role'] }}\n"
    "{{ message['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant, on Norland\n{% endif %}"
)


def encoder_with(chat_template: str | None) -> Encoder:
    trained = train_tokenizer([ASKED.text, TEMPLATE, "system user assistant"] * 3, 330)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, bos_token=BOS, eos_token=EOS, chat_template=chat_template
    )
    marks = [AddedToken(mark, special=True) for mark in ("<|turn|>", "<|end|>")]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    return Encoder(tokenizer, 512)


# A template.


def test_a_shells_backslash_n_is_a_line_break() -> None:
    assert break_lines(r"Q: {prompt}\nA:") == "Q: {prompt}\nA:"


def test_the_subject_is_the_prompts_not_the_templates() -> None:
    filled = fill(TEMPLATE, ASKED)
    before = TEMPLATE.index("{prompt}")
    assert filled.text == TEMPLATE.replace("{prompt}", ASKED.text)
    assert filled.subject_chars() == (before + 23, before + 30)
    assert replace(filled, text=ASKED.text, subject_start=None) == ASKED
    assert fill(None, ASKED) is ASKED


def test_a_template_does_not_bring_a_missing_subject() -> None:
    absent = replace(ASKED, text="What is the capital?")
    for template in (None, TEMPLATE):
        with pytest.raises(Unusable, match="the subject is not in the text"):
            fill(template, absent)
    with pytest.raises(Unusable, match="the subject is not in the text"):
        CHAT.frame(absent)
    for chat in (False, True):
        with pytest.raises(Unusable, match="the subject is not in the text"):
            encoder_with(WORDY_CHAT).encode(absent, TEMPLATE, chat)


@given(*(st.text(st.sampled_from("ab{} \n"), max_size=6) for _ in range(5)))
def test_the_place_is_exact_for_any_words(b: str, a: str, pre: str, subj: str, post: str) -> None:
    template = b.replace("{prompt}", "") + "{prompt}" + a
    prompt = Prompt("p", pre + subj + post, subj, len(pre))
    start, end = fill(template, prompt).subject_chars() or (-1, -1)
    assert (start, end) == (len(template.partition("{prompt}")[0]) + len(pre), start + len(subj))


@pytest.mark.parametrize("template", ["", "Question:", "{prompt}{prompt}", "{}", "{ prompt }"])
def test_a_template_without_one_gap_is_refused(template: str) -> None:
    with pytest.raises(InputError, match=r"must hold \{prompt\} once") as caught:
        Settings(prompt_template=template)
    assert "\n" not in str(caught.value)


def test_a_template_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="not UTF-8"):
        Settings(prompt_template="{prompt}\udcff")


# A chat.


@pytest.mark.parametrize("chat_template", [PLAIN_CHAT, WORDY_CHAT])
@pytest.mark.parametrize("template", [None, TEMPLATE])
@pytest.mark.parametrize(
    "prompt",
    [
        ASKED,
        Prompt("p", "Norland or Norland?", "Norland", 11),
        Prompt("p", "  Norland or Sudland?\n", "Norland"),
        Prompt("p", "user or system?", "user"),
        Prompt("p", "A São Tomé question: Tomé?", "Tomé", 21),
    ],
)
def test_the_span_is_exact_in_a_chat(
    chat_template: str, template: str | None, prompt: Prompt
) -> None:
    encoder = encoder_with(chat_template)
    encoded = encoder.encode(prompt, template, chat=True)
    framed = encoded.prompt
    start, end = framed.subject_chars() or (-1, -1)
    assert framed.text[start:end] == prompt.subject
    # Its surroundings are the prompt's, so it is this occurrence and no other.
    own, _ = prompt.subject_chars() or (-1, -1)
    text = prompt.text
    left, right = text[:own].lstrip(), text[own + len(prompt.subject) :].rstrip()
    assert framed.text[:start].endswith(left)
    assert framed.text[end:].startswith(right)
    if template:
        assert framed.text[:start].endswith(f"\nQuestion: {text[:own]}")
    else:
        assert framed.text[: start - len(left)].rstrip(" ").endswith("<|turn|>user\n")
    assert prompt.subject in encoder.decode(encoded.subject_tokens)
    assert prompt.subject not in encoder.decode(encoded.tokens[encoded.start : encoded.end - 1])
    assert prompt.subject not in encoder.decode(encoded.tokens[encoded.start + 1 : encoded.end])


@pytest.mark.parametrize(
    "chat_template",
    [PLAIN_CHAT, WORDY_CHAT, f"\n\n{PLAIN_CHAT}", f"  {{% if 1 %}}{PLAIN_CHAT}{{% endif %}}"],
)
def test_the_tokens_are_those_of_the_tokenizers_own_chat(chat_template: str) -> None:
    encoder = encoder_with(chat_template)
    tokens = encoder.encode(ASKED, chat=True).tokens
    tokenizer = encoder._tokenizer
    turn = [{"role": "user", "content": ASKED.text}]
    own = tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=False)
    assert list(tokens) == own
    assert tokens.count(tokenizer.bos_token_id) == 1
    # A template that writes no special token gets none.
    bare = encoder_with("{{ messages[0]['content'] }}").encode(ASKED, chat=True)
    assert tokenizer.bos_token_id not in bare.tokens


def test_a_chat_begins_on_one_day_whenever_it_is_and_without_thinking() -> None:
    template = (
        "{% if strftime_now is defined %}{{ strftime_now(FORMAT) }} {% endif %}"
        "{{ enable_thinking is defined and enable_thinking }} {{ messages[0]['content'] }}\nSo?"
    )
    for format in ("%d %b %Y", "%Y-%m-%d", "%A, %B %-d, %y", "%e %a %j", "%H:%M:%S %I %p", "%-m"):
        encoded = encoder_with(template.replace("FORMAT", repr(format))).encode(ASKED, chat=True)
        day = datetime(2024, 7, 26, 12).strftime(format)
        assert encoded.prompt.text == f"{day} False {ASKED.text}\nSo?"


@pytest.mark.parametrize(
    ("chat_template", "message"),
    [
        (None, "has no chat template; leave --chat out"),
        ("{{ raise_exception('only\n tools') }}", r"cannot be used \(only tools\)"),
        ("{{ messages[0]['content'] }} {{ messages[0]['content'] }}", "does not write a prompt"),
        ("Hello", "does not write a prompt"),
    ],
)
def test_chats_that_cannot_be_used_are_bad_input(chat_template: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        encoder_with(chat_template).encode(ASKED, chat=True)
    assert "\n" not in str(caught.value)


def test_a_prompt_that_the_chat_changes_is_unusable() -> None:
    shouting = "{% set c = messages[0]['content'] %}{{ c if 'What' not in c else c | upper }} So?"
    with pytest.raises(Unusable, match="the chat template changes the prompt"):
        encoder_with(shouting).encode(ASKED, chat=True)
    spaced = Prompt("p", " Norland is where?", " Norland")
    assert encoder_with(PLAIN_CHAT).encode(spaced, chat=True).prompt.subject == " Norland"
    with pytest.raises(Unusable, match="the chat template changes the prompt"):
        encoder_with(WORDY_CHAT).encode(spaced, chat=True)
    picky = "{{ messages[0]['content'] if '?' not in messages[0]['content'] else 1 / 0 }}"
    with pytest.raises(Unusable, match="the chat template changes the prompt"):
        encoder_with(picky).encode(ASKED, chat=True)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(*(st.text(st.sampled_from("aN \n{}%"), max_size=5) for _ in range(2)))
def test_the_place_is_exact_for_any_prompt_in_a_chat(before: str, after: str) -> None:
    prompt = Prompt("p", f"{before}Norland{after}", "Norland", len(before))
    framed = CHAT.frame(prompt)
    start, end = framed.subject_chars() or (-1, -1)
    turn = framed.text.index("<|turn|>user\n") + len("<|turn|>user\n")
    assert framed.text[turn:start] == before.lstrip()
    assert framed.text[end:].startswith(after.rstrip() + "<|end|>\n")


CHAT = Chat(encoder_with(WORDY_CHAT)._tokenizer)


# A run remembers it.

TEMPLATED = Settings(prompt_template="Q: {prompt}\nA:")
IN_CHAT = Settings(chat=True)


def header_of(settings: Settings) -> dict[str, Any]:
    return {**HEADER, "settings": settings.to_json()}


@pytest.mark.parametrize("kept", [Settings(), TEMPLATED, IN_CHAT])
@pytest.mark.parametrize("asked", [Settings(), TEMPLATED, IN_CHAT])
def test_a_run_goes_on_only_with_the_same_words_around_its_prompts(
    tmp_path: Path, kept: Settings, asked: Settings
) -> None:
    Store(tmp_path, header_of(kept))
    if kept == asked:
        Store(tmp_path, header_of(asked))
        return
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(InputError, match=r"prompt_template|chat") as caught:
        Store(tmp_path, header_of(asked))
    assert "\n" not in str(caught.value)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_run_from_before_there_were_templates_goes_on(tmp_path: Path) -> None:
    new = header_of(Settings())
    old = {k: v for k, v in new["settings"].items() if k not in ("prompt_template", "chat")}
    Store(tmp_path, {**new, "settings": old})
    Store(tmp_path, new)
    with pytest.raises(InputError, match="chat False, now True"):
        Store(tmp_path, header_of(IN_CHAT))
    assert Settings.from_json(read_header(tmp_path)["settings"]) == Settings()


@pytest.mark.parametrize("asked", [TEMPLATED, IN_CHAT, replace(TEMPLATED, chat=True)])
def test_the_app_takes_a_run_up_as_it_was_asked_for(tmp_path: Path, asked: Settings) -> None:
    from mlxjsd.assets import PROMPTS
    from mlxjsd.prompts.read import read_prompts

    data = read_prompts(PROMPTS).identity()
    Store(tmp_path, {**header_of(asked), "data": data, "data_path": str(PROMPTS)})
    found, same = job_of(tmp_path), {"expected": HEADER["model"]["sha256"], "download": False}
    assert found == Job(model="tiny", output=tmp_path, settings=asked, **same)


def test_each_gets_a_folder_of_its_own_by_default() -> None:
    asked = [Settings(), TEMPLATED, Settings(prompt_template="{prompt}/../"), IN_CHAT]
    names = [run_folder(None, None, each, None).name for each in asked]
    assert len(set(names)) == len(names)
    assert names[0] == "bundled"
    assert names[3] == "bundled_chat"
    assert all(name.replace("-", "").replace("_", "").isalnum() for name in names)
