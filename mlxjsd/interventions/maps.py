"""Maps: the state of every token at every layer, exchanged between the clean and the corrupted run.

A token's exchange at block l changes no token in front of it, so that each cell is a branch of
[t, T) which leaves at block l: about sum over t of (T - t) L^2 / 2 token-blocks, where the plain
way takes a pass of T L for each of the T L cells. Tokens in front of the subject are the same in
both runs; nothing is exchanged there, and nothing computed.
"""

from collections.abc import Iterator, Sequence

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.branches import Branch, map_branches
from mlxjsd.interventions.metrics import Logits, numbers_of
from mlxjsd.interventions.reference import _corrupted, _patch, _record, corrupted_run
from mlxjsd.interventions.spec import Batch
from mlxjsd.interventions.sweep import walked
from mlxjsd.interventions.walk import Walk
from mlxjsd.maps import map_of
from mlxjsd.model.blocks import Blocks
from mlxjsd.records import Grid
from mlxjsd.settings import Settings

#: Bytes that a pass over some tokens of a map may take, beside the weights; with more, fewer tokens
#: are taken at a time. A number of its own, so that every machine takes the same steps.
PASS_BYTES = 1_000_000_000


def tokens_at_once(blocks: Blocks, batch: Batch, settings: Settings) -> int:
    """Return how many tokens of the maps go through the blocks together.

    As many as stay below ``PASS_BYTES``, by what a call of a block was seen to take.
    """
    names, samples = settings_maps(settings), batch.samples
    each = len(names) * samples * len(settings.measured_layers(len(blocks)))
    item = 4 if str(blocks.embed(mx.zeros((1, 1), mx.int32)).dtype).endswith("float32") else 2
    hidden = blocks.embed(mx.zeros((1, 1), mx.int32)).shape[-1]
    total, taken = 0.0, 0
    for token in range(batch.first, batch.length):
        queries = batch.length - token
        call = max(a.row(queries, batch.length) for a in blocks.allocations)
        states = 4 * queries * hidden * item  # before and after a block, and joined
        total += batch.size * each * states
        # Calls of several tokens follow on each other; the largest decides.
        if taken and total + batch.size * each * call > PASS_BYTES:
            break
        taken += 1
    return max(1, taken)


def settings_maps(settings: Settings) -> tuple[str, ...]:
    """Return the names of the maps that are measured."""
    return Grid.of(settings, 0).maps


def sweep_maps(blocks: Blocks, batch: Batch, settings: Settings) -> np.ndarray:
    """Measure every map of every prompt of ``batch``, some tokens at a time.

    Args:
        blocks: of a model that takes the one pass.
        batch: B prompts of T tokens, with their corruption.
        settings: which maps, metrics and layers.

    Returns:
        (B, maps, metrics, T, L) float32, averaged over the samples: the same as
        :func:`reference_maps`, within 1e-5 in float32. NaN for layers that are not measured.
    """
    grid = Grid.of(settings, len(blocks))
    found = _room(grid, batch)
    at_once = tokens_at_once(blocks, batch, settings)
    for begin in range(batch.first, batch.length, at_once):
        tokens = range(begin, min(begin + at_once, batch.length))
        planned = map_branches(grid.maps, tokens, grid.measured_layers, batch.samples)
        walk = Walk(batch, planned, blocks.anatomy, None)
        _, values = walked(blocks, batch, settings, walk)
        _add(found, grid, walk.branches, values / batch.samples)
    _put_unedited(found, grid, batch, *_unedited(blocks, batch, settings))
    return found


def reference_maps(blocks: Blocks, batch: Batch, settings: Settings) -> np.ndarray:
    """Measure the same with one forward pass for every cell; see :func:`sweep_maps`."""
    grid, tokens = Grid.of(settings, len(blocks)), mx.array(batch.tokens)
    clean, clean_states = _record(blocks, tokens, lambda x: x)
    corrupted = [_record(blocks, *corrupted_run(batch, j)) for j in range(batch.samples)]
    found = _room(grid, batch)

    def other_logits() -> mx.array:
        return mx.concatenate([logits for logits, _ in corrupted], axis=1)

    def numbers(logits: mx.array) -> np.ndarray:
        given = Logits.of(batch, clean, logits[:, -1:], other_logits)
        return np.array(numbers_of(given, grid.metrics))[..., 0]

    for at, name in enumerate(grid.maps):
        for token in range(batch.first, batch.length):
            here = mx.array(np.arange(batch.length) == token)[None]
            for layer in grid.measured_layers:
                cell = np.zeros((batch.size, len(grid.metrics)))
                for sample, (_, states) in enumerate(corrupted):
                    if map_of(name).denoising:
                        run = _corrupted(batch, sample, _patch(layer, here, clean_states[layer]))
                    else:
                        run = tokens, _patch(layer, here, states[layer])
                    cell += numbers(blocks.run(*run))
                found[:, at, :, token, layer] = cell / batch.samples
    total = np.mean([numbers(logits) for logits, _ in corrupted], axis=0)
    _put_unedited(found, grid, batch, numbers(clean), total)
    return found


def _room(grid: Grid, batch: Batch) -> np.ndarray:
    shape = (batch.size, len(grid.maps), len(grid.metrics), batch.length, grid.layers)
    found = np.full(shape, np.nan, np.float32)
    found[..., list(grid.measured_layers)] = 0.0
    return found


def _add(found: np.ndarray, grid: Grid, branches: Sequence[Branch], values: np.ndarray) -> None:
    """Add the numbers (B, metrics, branches) of branches to the cells that they belong to."""
    for branch, value in zip(branches, np.moveaxis(values, -1, 0), strict=True):
        assert isinstance(branch.carries, int)
        found[:, grid.maps.index(branch.row), :, branch.carries, branch.layer] += value


def _unedited(blocks: Blocks, batch: Batch, settings: Settings) -> Iterator[np.ndarray]:
    """Yield the numbers of the clean run and of the corrupted one, (B, metrics) each."""
    clean = blocks.model(mx.array(batch.tokens))[:, -1:]
    runs = [_record(blocks, *corrupted_run(batch, j))[0] for j in range(batch.samples)]
    corrupted = mx.concatenate(runs, axis=1)
    for edited in (clean, corrupted):
        logits = Logits.of(batch, clean, edited, lambda: corrupted)
        yield np.array(mx.mean(numbers_of(logits, settings.metrics), axis=-1))


def _put_unedited(
    found: np.ndarray, grid: Grid, batch: Batch, clean: np.ndarray, corrupted: np.ndarray
) -> None:
    """Fill in the tokens in front of each subject, where both runs are the same."""
    layers = list(grid.measured_layers)
    for row, start in enumerate(batch.starts):
        for at, name in enumerate(grid.maps):
            numbers = corrupted if map_of(name).denoising else clean
            found[row, at, :, :start, layers] = numbers[row][:, None]
