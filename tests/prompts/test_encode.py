from dataclasses import replace

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from mlxjsd.assets.recipe.tokenizer import BOS, EOS, train_tokenizer
from mlxjsd.errors import InputError
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.encode import TOGETHER, Encoded, Encoder, Unusable
from mlxjsd.prompts.encode_file import encode_prompts
from mlxjsd.prompts.flags import AT_POSITION_0, ENDS_A_SENTENCE, ENDS_IN_A_GAP, ENDS_IN_SPACE
from mlxjsd.prompts.prompt import Prompt, find_subject

WORDS = [
    "The capital of France is Paris.",
    "São Tomé is an island. Москва 東京 نيل is a river.",
] * 4


def byte_level() -> Encoder:
    return wrap(train_tokenizer(WORDS, 330), bos_token=BOS, eos_token=EOS)


def sentence_piece() -> Encoder:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(WORDS, trainer)
    return wrap(tokenizer, unk_token="<unk>")


def metaspace() -> Encoder:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>"], show_progress=False)
    tokenizer.train_from_iterator(WORDS, trainer)
    return wrap(tokenizer, unk_token="<unk>")


def wrap(tokenizer: Tokenizer, **special: str) -> Encoder:
    return Encoder(PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special), 64)


ENCODERS = [byte_level, sentence_piece, metaspace]


@pytest.mark.parametrize("make", ENCODERS)
@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("The capital of France is", "France"),
        ("France's capital is", "France"),
        ("France is", "France"),
        ("The island of São Tomé is", "São Tomé"),
        ("The capital is not in Москва at", "Москва"),
        ("The capital is not 東京 but", "東"),
        ("The river نيل is", "نيل"),
        ("An island of Sa\u0303o is", "Sa\u0303o"),
        ('The "France" is', "France"),
    ],
)
def test_the_span_covers_every_token_that_shares_a_character(make, text: str, subject: str) -> None:
    encoder = make()
    encoded = encoder.encode(Prompt("", text, subject))
    inside = encoder.decode(encoded.tokens[encoded.start : encoded.end])
    if "�" not in inside and "<unk>" not in inside:
        assert subject in inside
        # One token less at either end no longer holds the whole subject, but for the lone
        # space that SentencePiece puts in front of a text: it stands at the first character.
        if encoder.decode(encoded.tokens[encoded.start : encoded.start + 1]).strip():
            assert subject not in encoder.decode(encoded.tokens[encoded.start + 1 : encoded.end])
        assert subject not in encoder.decode(encoded.tokens[encoded.start : encoded.end - 1])
    assert 0 <= encoded.start < encoded.end < len(encoded.tokens)


def test_a_beginning_of_sequence_token_is_added_once() -> None:
    encoder = byte_level()
    plain = encoder.encode(Prompt("", "The capital of France is", "France"))
    brought = encoder.encode(Prompt("", f"{BOS}The capital of France is", "France"))
    assert plain.tokens == brought.tokens
    assert plain.tokens.count(0) == 1
    assert plain.tokens[0] == 0


def test_without_one_the_subject_may_stand_at_the_very_front() -> None:
    encoded = metaspace().encode(Prompt("", "The is", "The"))
    assert encoded.start == 0
    assert encoded.flags == (AT_POSITION_0,)
    assert byte_level().encode(Prompt("", "The is", "The")).flags == ()


@pytest.mark.parametrize(
    ("text", "subject", "reason"),
    [
        ("The capital of France is", "Spain", "the subject is not in the text"),
        ("The capital is Paris", "Paris", "the subject reaches the last token"),
        ("The capital of France is " * 12, "France", "tokens are more than 64"),
    ],
)
def test_prompts_that_cannot_be_measured_say_why(text: str, subject: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        byte_level().encode(Prompt("", text, subject))


def special(pre: pre_tokenizers.PreTokenizer, normalizer: object = None) -> Encoder:
    """A tokenizer with a token for a turn, and none for what it does not know."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=300, show_progress=False)
    tokenizer.train_from_iterator(["of Spain France is the user , cafe 한국"] * 4, trainer)
    tokenizer.add_special_tokens(["<|user|>"])
    return wrap(tokenizer)


def inside(encoder: Encoder, text: str, subject: str) -> str:
    encoded = encoder.encode(Prompt("", text, subject))
    return encoder.decode(encoded.subject_tokens).replace(" ", "")


@pytest.mark.parametrize(
    ("encoder", "text", "subject", "expected"),
    [
        # What no token stands for goes to no special token, and pulls no other word in.
        (special(pre_tokenizers.Whitespace()), "<|user|>¿France is", "¿France", "France"),
        (special(pre_tokenizers.ByteLevel(False)), "<|user|>¿France is", "¿France", "France"),
        (special(pre_tokenizers.Whitespace()), "of Spain¿France is", "¿France", "France"),
        (special(pre_tokenizers.Whitespace()), "of Spain¿France is", "Spain¿", "Spain"),
        (
            special(pre_tokenizers.Whitespace(), normalizers.BertNormalizer(lowercase=False)),
            "<|user|>\u200bFrance is",
            "\u200bFrance",
            "France",
        ),
        (
            special(pre_tokenizers.Whitespace(), normalizers.BertNormalizer(strip_accents=True)),
            "<|user|>\u0301France is",
            "\u0301France",
            "france",
        ),
        (
            special(
                pre_tokenizers.Sequence(
                    [pre_tokenizers.Split("-", "removed"), pre_tokenizers.Whitespace()]
                )
            ),
            "of Spain-France is",
            "-France",
            "France",
        ),
        # What is composed into a letter belongs to that letter, marks or not.
        (
            special(pre_tokenizers.Whitespace(), normalizers.NFC()),
            "of \u1112\u1161\u11ab\u1100\u116e\u11a8 is",
            "\u1112\u1161\u11ab\u1100\u116e\u11a8",
            "한국",
        ),
    ],
)
def test_characters_of_no_token(encoder: Encoder, text: str, subject: str, expected: str) -> None:
    assert inside(encoder, text, subject) == expected
    assert encoder.encode(Prompt("", text, subject)).start > 0


def test_an_end_that_the_tokenizer_appends_is_taken_off() -> None:
    plain = byte_level()._tokenizer
    ended = PreTrainedTokenizerFast(tokenizer_object=plain.backend_tokenizer, bos_token=BOS)
    ended.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}", special_tokens=[(BOS, 0), (EOS, 1)]
    )
    text = "The capital of France is"
    assert ended(text)["input_ids"][-1] == 1, "or this tests nothing"
    encoded = Encoder(ended, 64).encode(Prompt("", text, "France"))
    assert encoded.tokens == byte_level().encode(Prompt("", text, "France")).tokens
    # One that stands in the text is the prompt's own.
    written = Encoder(ended, 64).encode(Prompt("", f"{text}{EOS}", "France"))
    assert written.tokens == (*encoded.tokens, 1)


def test_whether_a_token_stands_in_front_is_the_tokenizers_own(bundled: LoadedModel) -> None:
    assert bundled.encoder.puts_in_front
    assert not metaspace().puts_in_front


def test_tokens_without_an_embedding_are_not_looked_up() -> None:
    tokenizer = byte_level()._tokenizer
    text = "The capital of France is"
    ids = tokenizer(text)["input_ids"]
    assert Encoder(tokenizer, 64, max(ids) + 1).encode(Prompt("", text, "France"))
    with pytest.raises(Unusable, match=f"has the id {max(ids)}, and the model's embedding ends"):
        Encoder(tokenizer, 64, max(ids)).encode(Prompt("", text, "France"))


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("The capital of France is", ()),
        ("The capital of France is ", (ENDS_IN_SPACE,)),
        ("The capital of France is\n", (ENDS_IN_SPACE,)),
        ("What is the capital of France?", (ENDS_A_SENTENCE,)),
        ("France has a capital.", (ENDS_A_SENTENCE,)),
        ('He asked "Is it France?"', (ENDS_A_SENTENCE,)),
        ("France の首都は何ですか？", (ENDS_A_SENTENCE,)),
        ("The capital of France is [MASK]", (ENDS_IN_A_GAP,)),
        ("The capital of France is [MASK] .", (ENDS_A_SENTENCE,)),
        ("The capital of France is ___ ", (ENDS_IN_SPACE, ENDS_IN_A_GAP)),
    ],
)
def test_odd_endings_are_flagged(text: str, flags: tuple[str, ...]) -> None:
    encoded = byte_level().encode(Prompt("", text, "France"))
    assert encoded.flags == flags
    # What a template puts behind a prompt is what the model reads last.
    framed = byte_level().encode(Prompt("", text, "France"), "Q: {prompt}\nA:")
    assert framed.flags == ()


@pytest.mark.parametrize(
    ("text", "subject", "start"),
    [
        ("The country north of Nigeria called Niger has", "Niger", 36),
        ("In Romania, the mayor of Roma is", "Roma", 25),
        ("Nigeria is", "Niger", 0),
        ("東京都の首都は東京", "東京", 0),
        ("कुली और कुल", "कुल", 8),
        ("snake_case snake", "snake", 11),
        ("A. B. C is", "B.", 3),
    ],
)
def test_subjects_are_whole_words_first(text: str, subject: str, start: int) -> None:
    assert find_subject(text, subject) == start
    assert Prompt("", text, subject).place() == (start, start + len(subject))


def test_a_tokenizer_without_offsets_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(InputError, match="no character offsets"):
        Encoder(Slow(), 64)


def test_the_bundled_tokenizer_encodes_as_mlx_lm_does(bundled: LoadedModel) -> None:
    from mlx_lm.utils import load_tokenizer

    from mlxjsd.assets import MODEL

    text = "The capital of France is"
    tokens = bundled.encoder.encode(Prompt("", text, "France")).tokens
    assert list(tokens) == load_tokenizer(MODEL).encode(text)


# The one loop over prompts.

FRANCE = Prompt("france", "The capital of France is", "France")
ABSENT = Prompt("absent", "The capital is", "France")
LAST = Prompt("last", "The capital is Paris", "Paris")


def test_each_prompt_is_encoded_or_has_a_reason() -> None:
    encoder = byte_level()
    prompts = (ABSENT, FRANCE, LAST)
    found = list(encode_prompts(encoder, prompts))
    assert [(position, prompt) for position, prompt, _ in found] == list(enumerate(prompts))
    assert [read for _, _, read in found] == [
        "the subject is not in the text",
        encoder.encode(FRANCE),
        "the subject reaches the last token",
    ]


def test_a_template_reaches_every_prompt() -> None:
    encoder = byte_level()
    (_, _, found), _ = encode_prompts(encoder, (LAST, FRANCE), "{prompt}.")
    assert found == encoder.encode(LAST, "{prompt}.")
    assert isinstance(found, Encoded)
    assert found.prompt.text == "The capital is Paris."


def test_prompts_are_read_some_at_a_time() -> None:
    many = [replace(FRANCE, id=str(n), text=f"{FRANCE.text} {n}") for n in range(2 * TOGETHER)]
    taken: list[Prompt] = []
    waiting = (taken.append(prompt) or prompt for prompt in many)
    next(byte_level().encode_all(waiting))
    assert taken == many[:TOGETHER], "of a large file not all is held at one time"


def test_a_prompt_reads_the_same_alone_and_among_others() -> None:
    for encoder in (byte_level(), metaspace()):
        prompts = [FRANCE, ABSENT, Prompt("b", f"{BOS}France is", "France"), LAST, FRANCE]
        alone = []
        for prompt in prompts:
            try:
                alone.append(encoder.encode(prompt))
            except Unusable as reason:
                alone.append(str(reason))
        together = encoder.encode_all(prompts)
        assert [str(x) if isinstance(x, Unusable) else x for x in together] == alone


def test_what_no_prompt_can_be_put_in_is_bad_input() -> None:
    with pytest.raises(InputError, match="no chat template"):
        list(encode_prompts(byte_level(), [FRANCE], chat=True))
    with pytest.raises(Unusable, match="the subject is not in the text"):
        byte_level().encode(ABSENT, chat=True)


def test_a_prompts_pieces_are_the_texts_of_its_tokens() -> None:
    encoder = byte_level()
    pieces = encoder.pieces(encoder.encode(FRANCE))
    assert "".join(pieces) == f"{BOS}The capital of France is"
