from collections.abc import Iterator

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from mlxjsd.assets.recipe.tokenizer import BOS, EOS, train_tokenizer
from mlxjsd.errors import InputError
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.encode import Encoded, Encoder, Unusable, encode_prompts
from mlxjsd.prompts.flags import AT_POSITION_0
from mlxjsd.prompts.prompt import Prompt

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


def test_prompts_are_encoded_one_by_one() -> None:
    def prompts() -> Iterator[Prompt]:
        yield FRANCE
        raise AssertionError("the second one is not asked for yet")

    assert next(encode_prompts(byte_level(), prompts()))[0] == 0


def test_what_no_prompt_can_be_put_in_is_bad_input() -> None:
    with pytest.raises(InputError, match="no chat template"):
        list(encode_prompts(byte_level(), [FRANCE], chat=True))
    with pytest.raises(Unusable, match="the subject is not in the text"):
        byte_level().encode(ABSENT, chat=True)


def test_a_prompts_pieces_are_the_texts_of_its_tokens() -> None:
    encoder = byte_level()
    pieces = encoder.pieces(encoder.encode(FRANCE))
    assert "".join(pieces) == f"{BOS}The capital of France is"
