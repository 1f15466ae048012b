"""All prompts of a file, encoded; those that ask the same again are found."""

from collections.abc import Iterator, Sequence

from mlxjsd.prompts.encode import Encoded, Encoder
from mlxjsd.prompts.prompt import Prompt, Unusable
from mlxjsd.prompts.repeats import ASKED_ALREADY, asked_once


def encode_prompts(
    encoder: Encoder,
    prompts: Sequence[Prompt],
    template: str | None = None,
    chat: bool = False,
    once: bool = True,
) -> Iterator[tuple[int, Prompt, Encoded | str]]:
    """Encode prompts one by one.

    Args:
        encoder: of the model.
        prompts: as they stand in their file, all of them.
        template: as in :meth:`Encoder.encode`.
        chat: as in :meth:`Encoder.encode`.
        once: leave out those that ask the same again, whose answers go to the first.

    Yields:
        The place among the prompts, the prompt, and what the model reads or, of a prompt that
        cannot be measured, the reason.

    Raises:
        InputError: if no prompt can be put like this.
    """
    repeated = asked_once(prompts) if once else {}
    asked = (repeated.get(position, given) for position, given in enumerate(prompts))
    read = encoder.encode_all((prompt for prompt in asked if prompt is not None), template, chat)
    for position, given in enumerate(prompts):
        prompt = repeated.get(position, given)
        if prompt is None:
            yield position, given, ASKED_ALREADY
            continue
        found = next(read)
        yield position, prompt, str(found) if isinstance(found, Unusable) else found
