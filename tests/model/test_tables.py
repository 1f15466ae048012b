"""Nothing is looked up that is not there: how far a model's tables reach."""

import importlib.util
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from answering import Words, check_greedy, measured
from families import ONE_PASS, PLAIN, tiny_family
from family_settings import VOCABULARY
from models import VOCABULARY as LLAMA_VOCABULARY
from models import tiny

from mlxjsd.model.blocks import Blocks
from mlxjsd.model.generate import generate_answers
from mlxjsd.model.load import load_encoder
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.model.tables import Tables, tables_in

#: Families whose positions stand in a table, here of 64 rows.
BY_TABLE = ("gpt2", "gpt_bigcode")


def test_the_embedding_is_told_from_other_tables() -> None:
    assert tiny("llama").tables == Tables(LLAMA_VOCABULARY, None)
    assert Blocks(tiny_family("gpt2")).tables == Tables(VOCABULARY, 64)


def test_a_quantized_table_has_as_many_rows() -> None:
    blocks = tiny("llama")
    nn.quantize(blocks.model, 32, 4)
    assert Blocks(blocks.model).tables.tokens == LLAMA_VOCABULARY


def test_watching_leaves_the_model_as_it_was() -> None:
    blocks = tiny("llama")
    before = [type(module) for module in blocks.model.modules()]
    assert blocks.tables
    assert [type(module) for module in blocks.model.modules()] == before


@pytest.mark.slow
@pytest.mark.parametrize("family", [*ONE_PASS, *PLAIN])
def test_the_tables_of_every_family_are_found(family: str) -> None:
    if importlib.util.find_spec(f"mlx_lm.models.{family}") is None:
        pytest.skip("this MLX-LM does not have it yet")
    expected = Tables(VOCABULARY, 64 if family in BY_TABLE else None)
    assert Blocks(tiny_family(family)).tables == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"vocab_size": 100, "max_position_embeddings": 64}, Tables(100, 64)),
        ({"vocab_size": 100, "n_positions": 32}, Tables(100, 32)),
        ({"text_config": {"vocab_size": 100, "max_position_embeddings": 64}}, Tables(100, 64)),
        ({"vocab_size": 7, "text_config": {"vocab_size": 100}}, Tables(100, None)),
        ({"vocab_size": "many", "n_positions": -1, "n_ctx": True}, Tables()),
        ({}, Tables()),
    ],
)
def test_what_a_configuration_says(config: dict[str, Any], expected: Tables) -> None:
    assert tables_in(config) == expected


def test_a_tokenizer_alone_knows_the_rows_as_well(bundled: LoadedModel) -> None:
    assert load_encoder().vocabulary == bundled.encoder.vocabulary == bundled.identity.vocabulary


def test_an_answer_ends_where_the_positions_do() -> None:
    blocks = Blocks(tiny_family("gpt2"))
    model: Any = SimpleNamespace(blocks=blocks, tokenizer=Words())
    for length, room in ((60, 5), (63, 2), (64, 1)):
        runs = measured(blocks, (length,), record=False)
        for prompt, answer in zip(runs[0].prompts, generate_answers(model, runs, 8), strict=True):
            # The last token of an answer is not read, so it needs no position.
            assert len(answer.split()) <= room
            check_greedy(blocks.model, list(prompt.tokens), answer, room)


def test_an_answer_ends_at_a_token_that_cannot_be_read() -> None:
    """A head may have more rows than the embedding; such a token is not looked up."""
    blocks = tiny("llama")
    runs = measured(blocks, (7,), record=True)
    model: Any = SimpleNamespace(blocks=blocks, tokenizer=Words())
    assert all(len(answer.split()) > 1 for answer in generate_answers(model, runs, 4))
    least = min(runs[0].first)
    narrow = Tables(least, None)
    cut: Any = SimpleNamespace(
        blocks=SimpleNamespace(model=blocks.model, tables=narrow), tokenizer=Words()
    )
    assert all(len(answer.split()) == 1 for answer in generate_answers(cut, runs, 4))


def test_a_small_vocabulary_is_examined_within_it() -> None:
    """The tokens on which blocks are tried are of the model's own."""
    from mlxjsd.model.anatomy import _tokens

    assert int(mx.max(_tokens(1, 20)).item()) < 20
    assert int(mx.max(_tokens(1, None)).item()) < 89
