"""Spans against what each token's own bytes say, without the tokenizer's offsets."""

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import ByteLevel
from transformers import PreTrainedTokenizerFast

from mlxjsd.prompts.encode import Encoder, Unusable
from mlxjsd.prompts.flags import AT_POSITION_0, OCCURS_TWICE
from mlxjsd.prompts.prompt import Prompt

SENTENCES = [
    "The capital of France is Paris. Paris's river is the Seine.",
    "São Tomé is an island. Москва and 東京 are cities, القاهرة too, and ירושלים.",
    "Beyoncé's mother, Cafe\u0301 Tacvba, नई दिल्ली, 🎉 and 👩‍👩‍👧",
] * 3
BYTES = [f"<0x{value:02X}>" for value in range(256)]
SPACE = "▁"


def gpt(trim: bool, prefix: bool = False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix, trim_offsets=trim)
    tokenizer.post_processor = ByteLevel(trim_offsets=trim)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=alphabet, special_tokens=["<s>"], show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def sentence_piece(scheme: str, split: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    return fallen_back(tokenizer)


def llama_2() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    )
    return fallen_back(tokenizer)


def fallen_back(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = ["<unk>", "<s>", *BYTES]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


MAKERS: dict[str, Callable[[], Tokenizer]] = {
    "bytes": lambda: gpt(trim=False),
    "bytes, trimmed offsets": lambda: gpt(trim=True),
    "bytes, a space in front": lambda: gpt(trim=True, prefix=True),
    "metaspace always": lambda: sentence_piece("always", split=True),
    "metaspace always, unsplit": lambda: sentence_piece("always", split=False),
    "metaspace first": lambda: sentence_piece("first", split=False),
    "metaspace never": lambda: sentence_piece("never", split=False),
    "prepended": llama_2,
}


@cache
def fast(name: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=MAKERS[name]())


def bytes_of(name: str, piece: str) -> bytes:
    """What one token stands for, from its name in the vocabulary."""
    if name.startswith("bytes"):
        return bytes(byte_alphabet()[character] for character in piece)
    if piece in BYTES:
        return bytes([int(piece[3:5], 16)])
    return piece.replace(SPACE, " ").encode()


@cache
def byte_alphabet() -> dict[str, int]:
    """GPT-2's characters for bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [value for value in range(256) if value not in kept]
    return {chr(v): v for v in kept} | {chr(256 + i): v for i, v in enumerate(moved)}


def expected(name: str, text: str, chars: tuple[int, int]) -> list[int]:
    """The tokens that share a byte with the subject; a space put in front counts for nothing."""
    tokenizer = fast(name)
    pieces = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
    spelled = [bytes_of(name, piece) for piece in pieces]
    extra = len(b"".join(spelled)) - len(text.encode())
    assert b"".join(spelled)[extra:] == text.encode(), "the bytes are the text's"
    assert extra in (0, 1)
    start, end = (len(text[:at].encode()) for at in chars)
    found, at = [], -extra
    for index, own in enumerate(spelled):
        if at < end and at + len(own) > start:
            found.append(index)
        at += len(own)
    return found


def stripped(text: str, start: int, length: int) -> tuple[int, int]:
    subject = text[start : start + length]
    begin = start + len(subject) - len(subject.lstrip())
    return begin, begin + len(subject.strip())


def check(name: str, text: str, start: int, length: int) -> None:
    subject = text[start : start + length]
    encoder, prompt = Encoder(fast(name), 512), Prompt("", text, subject, start)
    if not subject.strip():
        with pytest.raises(Unusable, match="nothing but spaces"):
            encoder.encode(prompt)
        return
    chars = stripped(text, start, length)
    tokens = expected(name, text, chars)
    if tokens[-1] == len(fast(name)(text)["input_ids"]) - 1:
        with pytest.raises(Unusable, match="reaches the last token"):
            encoder.encode(prompt)
        return
    encoded = encoder.encode(prompt)
    assert (encoded.start, encoded.end) == (tokens[0], tokens[-1] + 1)
    assert (AT_POSITION_0 in encoded.flags) == (tokens[0] == 0)
    again = [i for i in range(len(text)) if text.startswith(text[slice(*chars)], i)]
    assert (OCCURS_TWICE in encoded.flags) == (len(again) > 1)
    inside = encoder.decode(encoded.subject_tokens)
    if "�" not in inside:
        assert subject.strip() in inside


#: Any text, but for what a vocabulary spells differently: its own sign for a space.
texts = st.text(
    st.one_of(
        st.sampled_from("aeParis' .,éñ\u0301\u0303東京московاقهרי🎉\u200d\u200f\n "),
        st.characters(exclude_categories=["Cs"], exclude_characters=SPACE),
    ),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize("name", MAKERS)
@given(text=texts, data=st.data())
@settings(max_examples=120, deadline=None)
def test_the_span_is_every_token_that_shares_a_character(
    name: str, text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    check(name, text, start, data.draw(st.integers(1, len(text) - start)))


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Paris is", "Paris"),
        ("Paris's river is", "Paris"),
        ("(Paris), France, is", "Paris"),
        ("The capital of France is", "France"),
        ("The capital of  France  is", " France "),
        ("  Paris is", "Paris"),
        ("Cafe\u0301 Tacvba plays", "Cafe\u0301"),
        ("An island is São Tomé in", "São Tomé"),
        ("The 🎉 is", "🎉"),
        ("The 👩‍👩‍👧 is", "👩‍👩‍👧"),
        ("عاصمة القاهرة هي", "القاهرة"),
        ("ירושלים היא", "ירושלים"),
        ("नई दिल्ली is in", "दिल्ली"),
        ("東京は日本", "東京"),
        ("Paris is Paris and", "Paris"),
    ],
)
def test_subjects_of_every_kind(name: str, text: str, subject: str) -> None:
    check(name, text, text.index(subject), len(subject))


def composing() -> PreTrainedTokenizerFast:
    tokenizer = gpt(trim=True)
    tokenizer.normalizer = normalizers.NFC()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_a_mark_that_is_composed_into_its_letter_belongs_to_the_letter() -> None:
    text = "qe\u0301q is"
    encoder = Encoder(composing(), 64)
    whole = encoder.encode(Prompt("", text, "e\u0301"))
    assert encoder.decode(whole.subject_tokens) == "é"
    for part in ("e", "\u0301"):
        found = encoder.encode(Prompt("", text, part))
        assert (found.start, found.end) == (whole.start, whole.end)


@given(text=texts, data=st.data())
@settings(max_examples=300, deadline=None)
def test_normalized_text_leaves_no_character_of_the_subject_outside(
    text: str, data: st.DataObject
) -> None:
    tokenizer = composing()
    start = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(1, len(text) - start))
    try:
        found = Encoder(tokenizer, 512).encode(
            Prompt("", text, text[start : start + length], start)
        )
    except Unusable:
        return
    chars = stripped(text, start, length)
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    outside = offsets[: found.start] + offsets[found.end :]
    assert not [(a, b) for a, b in outside if a < chars[1] and b > chars[0]]
    assert found.start < found.end


def test_a_space_is_put_in_front_of_every_part_or_of_the_first_only() -> None:
    text, spans = "<s>France is", {}
    for scheme in ("always", "first"):
        encoder = Encoder(fast(f"metaspace {scheme}" + ", unsplit" * (scheme == "always")), 64)
        encoded = encoder.encode(Prompt("", text, "France"))
        spans[scheme] = [encoder.decode([t]) for t in encoded.tokens[: encoded.end]]
        assert encoder.decode(encoded.subject_tokens).strip() == "France"
        assert encoded.flags == ()
    assert "".join(spans["always"]).startswith("<s> France")
    assert "".join(spans["first"]).startswith("<s>France")


def test_text_that_is_no_unicode_is_not_measured() -> None:
    with pytest.raises(Unusable, match="not valid Unicode"):
        Encoder(fast("bytes"), 64).encode(Prompt("", "\ud800 Paris is", "Paris"))


def test_the_first_place_counts_unless_another_is_named() -> None:
    encoder = Encoder(fast("bytes"), 64)
    text = "Paris or Paris is"
    first = encoder.encode(Prompt("", text, "Paris"))
    second = encoder.encode(Prompt("", text, "Paris", 9))
    assert (first.start, first.flags) == (0, (AT_POSITION_0, OCCURS_TWICE))
    assert second.start >= first.end
    assert second.flags == (OCCURS_TWICE,)
    once = encoder.encode(Prompt("", "Paris is", "Paris"), "A city near Paris: {prompt}")
    assert once.flags == (OCCURS_TWICE,), "the words around a prompt are read as well"
