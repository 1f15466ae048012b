"""What a run will do: which prompts, corrupted how, in which batches."""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import mlx.core as mx

from mlxjsd.analysis.aliases import concerning
from mlxjsd.errors import InputError
from mlxjsd.interventions.corruption import Corruption
from mlxjsd.interventions.corruption.stored import Sources
from mlxjsd.interventions.cost import Shape
from mlxjsd.interventions.invariants import null_limit
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.model.parts import PART_NAMES
from mlxjsd.prompts.encode import Encoded
from mlxjsd.prompts.encode_file import encode_prompts
from mlxjsd.prompts.prompt import Prompt, PromptFile
from mlxjsd.rank import Rank
from mlxjsd.records import Grid, Skipped
from mlxjsd.run.batching import Units, draw, plan_units
from mlxjsd.run.memory_budget import Budget, Footprint
from mlxjsd.settings import Labelling, Settings

#: The most prompts for each pass, unless told otherwise: more are hardly any faster.
BATCH_SIZE = 16
#: The most prompts that are answered, and committed, together, unless told otherwise: an answer is
#: written token by token, in steps that take hardly longer for many than for few.
ANSWERED = 32
#: Under these names, what else decides the batches is kept among their sizes.
_ANY_SHAPE, _ANSWERED, _TOKENS = "any shape", "answered together", "tokens held"


@dataclass(frozen=True)
class Plan:
    """What a run will do: which prompts, corrupted how, in which batches."""

    model: LoadedModel
    data: PromptFile
    settings: Settings
    limit: int | None
    sample: int | None
    corruption: Corruption
    positions: dict[str, int]
    """Places in the data file of the prompts to be measured, by id."""
    units: Units
    """The order of the work."""
    skipped: tuple[Skipped, ...]
    labelling: Labelling
    batch_sizes: dict[str, int]
    """Prompts that go together at the most, by their shape."""
    footprint: Footprint
    """How much memory a pass takes."""
    directions_held: int
    """Of how many prompts the last token's directions are held until the run ends."""
    once: bool
    """Whether prompts that are asked twice are measured once."""

    @property
    def grid(self) -> Grid:
        """The names of the numbers that are measured."""
        return Grid.of(self.settings, self.model.identity.layers)

    @property
    def batches(self) -> list[list[Encoded]]:
        """What is answered, and committed, together, in one pass or several."""
        return self.units.batches

    @property
    def passes(self) -> list[list[Encoded]]:
        """What goes through the model together."""
        return self.units.passes

    @property
    def total(self) -> int:
        """Prompts to be measured."""
        return len(self.positions)

    def share(self, rank: Rank) -> list[list[Encoded]]:
        """Return the batches that are for one of several ranks to measure."""
        return [batch for batch in self.batches if rank.owns(self.units.number[batch[0].prompt.id])]

    @property
    def fingerprint(self) -> str:
        """Say in a few characters how the prompts are distributed."""
        units = json.dumps(sorted(self.units.number.items()))
        return hashlib.sha256(units.encode()).hexdigest()[:16]

    def header(self) -> dict[str, Any]:
        """Return what identifies the run, as JSON values."""
        return {
            "settings": self.settings.to_json(),
            "model": self.model.identity.to_json(),
            "data": self.data.identity(),
            # As it was given, so that the run can be taken up again.
            "data_path": str(self.data.path),
            "limit": self.limit,
            "sample": self.sample,
            # Going on with the same batches gives the same numbers to the last bit.
            "batch_sizes": self.batch_sizes,
            "repeats": "once" if self.once else "each",
            "floor_limit": null_limit(self.model.identity.dtype),
            "labelling": self.labelling.to_json(),
            "versions": versions(),
            **self.grid.to_json(),
            "total": self.total,
        }


def encode_all(
    model: LoadedModel, data: PromptFile, settings: Settings, once: bool = True
) -> tuple[list[tuple[int, Encoded]], list[Skipped]]:
    """Encode every prompt of a file; return (position, prompt) of the usable ones and the rest.

    With ``once``, a prompt that asks the same again is among the rest.
    """
    usable, skipped = [], []
    for position, prompt, found in encode_prompts(
        model.encoder, data.prompts, settings.prompt_template, settings.chat, once
    ):
        if isinstance(found, str):
            skipped.append(Skipped(prompt.id, position, found))
        else:
            usable.append((position, found))
    return usable, skipped


def plan_run(
    model: LoadedModel,
    data: PromptFile | Iterable[Prompt],
    settings: Settings | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    labelling: Labelling | None = None,
    memory: float | None = None,
    sizes: Mapping[str, int] | None = None,
    sample: int | None = None,
    once: bool = True,
    sources: Sources | None = None,
) -> Plan:
    """Decide what to measure.

    Args:
        model: to be measured.
        data: all prompts, of a file or not; the noise is scaled by all of them, limit or not.
        settings: what is measured.
        limit: measure only the first N prompts.
        batch_size: the most prompts for each pass; changes no number.
        labelling: how answers are generated and sorted.
        memory: GB that the run may take, weights included; None for what the machine recommends.
            Decides how many prompts go through the model together, where the batch size does not.
        sizes: the plan's ``batch_sizes`` when the run began, which go before both.
        sample: measure only N prompts, drawn by the seed and spread over the relations.
        once: measure prompts that are asked twice once; runs of older versions did not.
        sources: what a run has stored of the prompts' corruption, by id; None to work it out.

    Raises:
        InputError: if no prompt is usable, or a number makes no sense.
    """
    settings = settings or Settings()
    data = data if isinstance(data, PromptFile) else PromptFile.of(data)
    if limit is not None and limit < 1:
        raise InputError(
            f"the limit must be at least 1, not {limit}", hint="leave --limit out for all prompts"
        )
    if sample is not None and sample < 1:
        raise InputError(
            f"the sample must be at least 1, not {sample}",
            hint="leave --sample out for all prompts",
        )
    if batch_size is not None and batch_size < 1:
        raise InputError(
            f"the batch size must be at least 1, not {batch_size}",
            hint="leave --batch-size out to have it chosen",
        )
    settings.measured_layers(model.identity.layers)  # they must be there
    for part in settings.parts:
        if why := model.blocks.parts.missing(part):
            raise InputError(
                f"the {PART_NAMES[part]} of this model's blocks cannot be exchanged: {why}",
                hint="leave its rows and maps out; `mlxjsd check` lists the parts that there are",
            )
    usable, skipped = encode_all(model, data, settings, once)
    if not usable:
        raise _no_prompt(data, skipped)
    corruption = Corruption(settings, [prompt for _, prompt in usable], model, sources)
    measurable: list[tuple[int, Encoded]] = []
    for position, prompt in usable:
        if reason := corruption.reason_against(prompt):
            skipped.append(Skipped(prompt.prompt.id, position, reason))
        elif limit is None or position < limit:
            measurable.append((position, prompt))
    skipped = [s for s in skipped if limit is None or s.position < limit]
    if not measurable:
        raise _no_prompt(data, skipped)
    if sample is not None:
        measurable = draw(measurable, sample, settings.seed)
    positions = {prompt.prompt.id: position for position, prompt in measurable}
    footprint = Footprint.of(model, settings)
    budget = Budget.of(memory)
    before, size_for = dict(sizes or {}), _sizes(footprint, settings, batch_size, memory)
    unit = before.get(_ANY_SHAPE) or batch_size or BATCH_SIZE
    # A run of an older version goes on in batches no larger than its passes.
    answered = before.get(_ANSWERED) or before.get(_ANY_SHAPE) or batch_size or ANSWERED
    held = before.get(_TOKENS, budget.tokens_held(footprint))
    chosen = {_ANY_SHAPE: unit, _ANSWERED: answered, _TOKENS: held}

    def size(same: Sequence[Encoded]) -> int:
        name = f"{len(same[0].tokens)} tokens, {same[0].end} to the subject's end"
        chosen[name] = before.get(name) or size_for(same)
        return chosen[name]

    wanted = [prompt for _, prompt in measurable]
    units = plan_units(wanted, unit, size, answered, held)
    skipped.sort(key=lambda s: s.position)
    return Plan(
        model,
        data,
        settings,
        limit,
        sample,
        corruption,
        positions,
        units,
        tuple(skipped),
        _about(labelling or Labelling(), wanted),
        chosen,
        footprint,
        budget.directions_held(footprint),
        once,
    )


def _about(labelling: Labelling, prompts: Sequence[Encoded]) -> Labelling:
    """Return a labelling with those aliases alone that the prompts' answers have."""
    aliases = concerning(labelling.aliases, (encoded.prompt.answers for encoded in prompts))
    return replace(labelling, aliases=aliases)


def _sizes(
    footprint: Footprint, settings: Settings, batch_size: int | None, memory: float | None
) -> Callable[[Sequence[Encoded]], int]:
    """Say how many prompts of one shape go together: what was asked for, or what fits."""
    if batch_size is not None:
        if memory is not None:
            raise InputError(
                "--batch-size and --memory both decide how many prompts go together",
                hint="give one of them",
            )
        return lambda same: batch_size
    budget = Budget.of(memory)
    return lambda same: budget.prompts(footprint, Shape.of(same, settings), BATCH_SIZE)


def versions() -> dict[str, str]:
    """Return the versions of what computes the numbers, and the machine's kind."""
    packages = {name: version(name) for name in ("mlxjsd", "mlx", "mlx-lm", "numpy")}
    device = str(mx.device_info().get("device_name", mx.default_device()))
    return {**packages, "python": platform.python_version(), "device": device}


def _no_prompt(data: PromptFile, skipped: Sequence[Skipped]) -> InputError:
    if not skipped:
        return InputError(
            f"no prompt of {data.path} is left to measure",
            hint="give a larger --limit, or other --data",
        )
    first = min(skipped, key=lambda s: s.position)
    return InputError(
        f"no prompt of {data.path} can be measured; the first one, {first.id!r}, because "
        f"{first.reason}",
        hint="see `mlxjsd prompts` for all of them",
    )
