"""``mlxjsd check``: what a model was found to be, and whether it is measured rightly here.

The tests hold for tiny models on one machine. Whoever has another one, or a family that no
test has seen, checks the same on that model and that machine, in a minute.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.invariants import (
    Invariant,
    agreement,
    check_measurement,
    clean_logits,
)
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.loaded import LoadedModel, weights_bytes
from mlxjsd.model.parts import MIXER, PART_NAMES
from mlxjsd.model.stepping import BlockCall
from mlxjsd.prompts.encode import Encoded
from mlxjsd.prompts.prompt import PromptFile
from mlxjsd.rows import ROWS, sets
from mlxjsd.run.batch import measurement_of
from mlxjsd.run.plan import encode_all, plan_run
from mlxjsd.settings import Settings

#: Prompts of the file that are looked at for a batch, and how many are measured.
LOOKED_AT, MEASURED = 64, 3
_SAID = PART_NAMES | {MIXER: "no attention, but"}


@dataclass(frozen=True)
class Check:
    """What was found, and what was checked."""

    facts: tuple[tuple[str, str], ...]
    """Name and value, for people."""
    invariants: tuple[Invariant, ...]

    @property
    def passed(self) -> bool:
        """Whether all invariants hold."""
        return all(invariant.passed for invariant in self.invariants)


def check_model(model: LoadedModel, data: PromptFile, settings: Settings | None = None) -> Check:
    """Check a model on a few prompts of a file.

    Args:
        model: as it was loaded.
        data: where the prompts are from.
        settings: what is measured.

    Raises:
        InputError: if no prompt can be measured.
    """
    few = replace(data, prompts=data.prompts[:LOOKED_AT])
    plan = plan_run(model, few, settings, batch_size=MEASURED)
    chosen = max(plan.passes, key=len)
    batch, settings, dtype = plan.corruption.batch(chosen), plan.settings, model.identity.dtype
    before = clean_logits(model.blocks, batch)
    found = measurement_of(model, batch, settings)
    invariants = check_measurement(model.blocks, batch, found, before, dtype)
    if model.blocks.anatomy.trouble is None:
        plain = reference_batch(model.blocks, batch, settings)
        floor = float(max(found.floor.max(), plain.floor.max()))
        edits = [row for row in found.grid.measured if row.kind != "corrupted"]
        passes = sum(len(found.grid.layers_of(row)) for row in edits)
        name = f"one pass equals {passes} passes"
        invariants.append(agreement(name, _cells(found), _cells(plain), dtype, floor))
        invariants += _of_parts(model, batch, settings)
    alone = [plan.corruption.batch([prompt]) for prompt in chosen]
    invariants.append(_batch_invariance(model, alone, found, settings))
    invariants.append(_spans(model, data, settings))
    return Check(tuple(facts_of(model)), tuple(invariants))


def _of_parts(model: LoadedModel, batch: Batch, settings: Settings) -> list[Invariant]:
    """Compare the exchange of the blocks' parts by both paths, in the middle of the model."""
    blocks = model.blocks
    there = [key for key in sets()["parts"] if not blocks.parts.missing(ROWS[key].part or "")]
    if not there:
        return []
    middle = (len(blocks) // 2,)
    parts = replace(settings, rows=tuple(there), maps=(), layers=middle)
    found, plain = (measure(blocks, batch, parts) for measure in (sweep_batch, reference_batch))
    floor = float(max(found.floor.max(), plain.floor.max()))
    name = f"one pass equals {len(there)} passes that exchange parts"
    return [agreement(name, _cells(found), _cells(plain), model.identity.dtype, floor)]


def _cells(found: Measurement) -> np.ndarray:
    """Return every divergence of a measurement, (B, rows * L + 1)."""
    flat = found.jsd.reshape(len(found.jsd), -1)
    return np.concatenate([flat, found.reliance[:, None]], axis=1)


def _batch_invariance(
    model: LoadedModel, alone: Sequence[Batch], found: Measurement, settings: Settings
) -> Invariant:
    single = Measurement.join([measurement_of(model, batch, settings) for batch in alone])
    floor = float(max(found.floor.max(), single.floor.max()))
    name = f"alone or {len(alone)} together, the same"
    return agreement(name, _cells(single), _cells(found), model.identity.dtype, floor)


def _spans(model: LoadedModel, data: PromptFile, settings: Settings) -> Invariant:
    """Decode every subject span, and look for the subject in it."""
    encoded = [prompt for _, prompt in encode_all(model, data, settings)[0]]
    right = sum(_round_trips(model, prompt) for prompt in encoded)
    measured = f"{right} of {len(encoded)}"
    return Invariant(
        "subject spans decode to their subjects", measured, "all", right == len(encoded)
    )


def _round_trips(model: LoadedModel, prompt: Encoded) -> bool:
    said, wanted = (
        "".join(filter(str.isalnum, text)).casefold()
        for text in (model.encoder.decode(prompt.subject_tokens), prompt.prompt.subject)
    )
    return wanted in said


def facts_of(model: LoadedModel) -> list[tuple[str, str]]:
    """Return what is known of a model, as pairs of words."""
    identity, anatomy = model.identity, model.blocks.anatomy
    path = f"each cell is a forward pass, since {anatomy.trouble}"
    return [
        ("model", identity.name),
        ("family", identity.family),
        ("measured by", "one pass" if anatomy.trouble is None else path),
        ("layers", str(identity.layers)),
        *(("blocks", line) for line in _kinds(model.blocks)),
        *(("parts", line) for line in _parts(model.blocks)),
        ("hidden size", str(identity.hidden_size)),
        ("vocabulary", f"{identity.vocabulary:,}"),
        ("residual stream", identity.dtype),
        ("quantization", identity.quantization or "none"),
        ("weights in memory", f"{weights_bytes(model.blocks.model) / 1e6:,.1f} MB"),
        ("longest prompt", f"{model.encoder.max_tokens} tokens"),
    ]


def _kinds(blocks: Blocks) -> list[str]:
    """Describe the blocks, those of one kind in one line."""
    kinds: defaultdict[str, list[int]] = defaultdict(list)
    reach = _reach(blocks, tokens := 1024)
    for index, block in enumerate(blocks.anatomy.blocks):
        kind = "no attention"
        if block.attends:
            kind = "attention"
            if block.keys is not None:
                kind += f", {block.keys[0]} key heads of {block.keys[1]}"
            if seen := reach.get(index):
                kind += f", token {tokens} sees {seen}"
        kinds[kind].append(index)
    return [f"{kind}: {_ranges(found)}" for kind, found in kinds.items()]


def _parts(blocks: Blocks) -> list[str]:
    """Say which modules are the blocks' attention and MLP; blocks of one kind in one line."""
    parts = blocks.parts
    if parts.trouble is not None:
        return [f"not applicable, since {parts.trouble}"]
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for index, (found, carried) in enumerate(zip(parts.blocks, parts.carried, strict=True)):
        said = [f"{_SAID[kind]} {part}" for kind, part in found.items()] or ["none"]
        if carried != 1:
            said.append(f"{carried:.4g} x what enters")
        alike[", ".join(said)].append(index)
    return [f"{said}: {_ranges(indices)}" for said, indices in alike.items()]


def _reach(blocks: Blocks, tokens: int) -> dict[int, int]:
    """Return how many tokens the last of ``tokens`` sees, of blocks whose mask says less than all.

    Nothing is computed but the masks: no block is run.
    """
    found: dict[int, int] = {}

    def visit(call: BlockCall) -> mx.array:
        if isinstance(call.mask, mx.array) and call.mask.shape[-2:] == (tokens, tokens):
            last = call.mask.reshape(-1, tokens, tokens)[0, -1]
            shown = last if last.dtype == mx.bool_ else last > -1e4
            if (seen := int(np.array(mx.sum(shown)))) < tokens:
                found[call.index] = seen
        return call.x

    try:
        blocks.run(mx.zeros((1, tokens), mx.int32), visit)
    except Exception:  # a block that was not run left out what a later one reads
        return {}
    return found


def _ranges(numbers: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
