import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from mlxjsd.assets.recipe.tokenizer import BOS, EOS, train_tokenizer
from mlxjsd.errors import InputError
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.encode import Encoder, Unusable
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
