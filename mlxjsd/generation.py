"""What the model answers: greedy generation by MLX-LM itself, for a batch of prompts."""

from collections.abc import Sequence

from mlxjsd.knowledge import first_sentence
from mlxjsd.model import LoadedModel
from mlxjsd.spans import Encoded


def generate_answers(model: LoadedModel, prompts: Sequence[Encoded], max_tokens: int) -> list[str]:
    """Return what the model writes after each prompt, cut at the first line or sentence."""
    from mlx_lm.generate import batch_generate

    response = batch_generate(
        model.blocks.model,
        model.tokenizer,
        [list(prompt.tokens) for prompt in prompts],
        max_tokens=max_tokens,
    )
    return [first_sentence(text) for text in response.texts]
