"""The parts of each block, found by running it: which modules' outputs enter the residual stream.

No name of a module decides. On a random prompt the calls of all modules inside a block are
recorded, and those are sought whose outputs, times one number each, add up to the block's step
(what leaves it minus what enters it). That covers plain and parallel blocks, scaled residuals,
and norms behind a part, where it is the norm's output that enters. On another prompt the same
sum must hold again, and also with random states in place of the outputs. A part whose output at
a token depends on other tokens is attention (where the block attends); the other is the MLP.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations

import mlx.core as mx
import numpy as np

from mlxjsd.errors import MeasurementError, is_out_of_memory, said_by
from mlxjsd.model.anatomy import Anatomy
from mlxjsd.model.stepping import BlockCall, Stepper
from mlxjsd.model.submodules import Call, Edit, Edits, Interceptor, Watch, submodules

ATTENTION, MLP, MIXER = "attention", "mlp", "mixer"

#: Rows and tokens of the random prompts.
_ROWS, _TOTAL = 2, 6
#: Different tokens in them; a vocabulary may hold fewer.
_KINDS = 89
#: How many units of rounding (the dtype's eps) of all that is added up a sum may be off by, at
#: every number: each addition and each product is rounded by half a unit.
ROUNDINGS = 4
#: How many outputs make a step: two nearly always. One is tried after two, since a module
#: around both would hide them.
_COUNTS = (2, 1, 3)


@dataclass(frozen=True)
class Part:
    """One module of a block whose output enters the residual stream."""

    kind: str
    """"attention", "mlp", or "mixer": what mixes tokens in a block that does not attend."""
    module: str
    """Where in the block the module stands whose output enters the stream."""
    source: str
    """The module that computes it: another one where a norm stands behind it."""
    scale: float = 1.0
    """What the output is multiplied by where it enters."""

    def __str__(self) -> str:
        name = self.module if self.module == self.source else f"{self.source} + {self.module}"
        return name if self.scale == 1 else f"{self.scale:.4g} x ({name})"


@dataclass(frozen=True)
class Parts:
    """The parts of all blocks of a model."""

    blocks: tuple[dict[str, Part], ...]
    """Of each block by their kinds; empty where a block does nothing, or parts do not apply."""
    trouble: str | None
    """Why the model has no parts that can be told; None where it has."""
    _stepper: Stepper = field(repr=False, compare=False)
    _interceptor: Interceptor = field(default_factory=Interceptor, repr=False, compare=False)

    def applies(self, kind: str, window: range) -> bool:
        """Whether any block of ``window`` has a part of that kind."""
        return any(kind in self.blocks[i] for i in window)

    def missing(self, kind: str) -> str | None:
        """Return why no block has a part of that kind; None if one does."""
        if self.trouble or self.applies(kind, range(len(self.blocks))):
            return self.trouble
        return f"no block has a part that is {kind}"

    @contextmanager
    def edited(self, index: int, edits: Mapping[str, Edit]) -> Iterator[None]:
        """Give the outputs of a block's parts to functions, in each call of the block within.

        Args:
            index: of the block.
            edits: by the kind of part. Each function is given (rows, tokens, hidden), and what
                it returns, of the same shape, goes on in its place; it may be the same. The
                scale is not applied yet.

        Raises:
            MeasurementError: if the block has no such part, did not call it, or parts are being
                edited already.
        """
        found = self.blocks[index]
        for kind in edits:
            if kind not in found:
                why = self.trouble or f"block {index} has no part that is {kind}"
                raise MeasurementError(
                    f"there is no {kind} to edit: {why}", hint="ask for another part or layer"
                )
        modules = submodules(self._stepper.blocks[index])
        named = {found[kind].module: kind for kind in edits}
        taker = Edits({name: edits[kind] for name, kind in named.items()})
        with self._interceptor.over({name: modules[name] for name in named}, taker.take):
            yield
        for name, kind in named.items():
            if name not in taker.edited:
                raise MeasurementError(
                    f"block {index} did not call its {kind} ({name})",
                    hint="run the block while its parts are edited",
                )

    def total(self, index: int, outputs: Mapping[str, mx.array]) -> mx.array:
        """Return the step of a block as the sum of its parts' outputs, (rows, tokens, hidden)."""
        found = self.blocks[index]
        return reduce(mx.add, (outputs[kind] * part.scale for kind, part in found.items()))


def parts_of(blocks: Stepper, anatomy: Anatomy, vocabulary: int | None = None) -> Parts:
    """Find the parts of every block by running the model on random tokens.

    Args:
        blocks: of the model.
        anatomy: what the blocks do.
        vocabulary: how many tokens it can look up; None where that is not known.
    """
    nothing: tuple[dict[str, Part], ...] = ({},) * len(blocks)
    finder = _Finder(blocks, anatomy)
    try:
        blocks.run(_tokens(0, vocabulary), finder.visit)
        checker = _Checker(blocks, finder.found)
        blocks.run(_tokens(1, vocabulary), checker.visit)
    except _NoParts as error:
        return Parts(nothing, str(error), blocks)
    return Parts(tuple(checker.held), None, blocks)


class _NoParts(Exception):
    """Says why parts cannot be told."""


def _tokens(seed: int, vocabulary: int | None) -> mx.array:
    kinds = min(_KINDS, vocabulary or _KINDS)
    return mx.random.randint(0, kinds, (_ROWS, _TOTAL), key=mx.random.key(seed))


@dataclass
class _Finder:
    """Finds, for each block of one forward pass, what may be its parts, the likeliest first."""

    blocks: Stepper
    anatomy: Anatomy
    found: list[list[dict[str, Part]]] = field(default_factory=list)

    def visit(self, call: BlockCall) -> mx.array:
        modules = submodules(self.blocks.blocks[call.index])
        watch = Watch(modules, call.x.shape)
        with Interceptor().over(modules, watch.take):
            left = call.attempt(call.x, call.mask)
        step = _Step.of(call.x, left)
        sums = [{}] if not step.numbers.any() else list(_sums(step, watch.calls))
        if not sums:
            raise _NoParts(
                f"the step of block {call.index} is not a sum of what two or three of its "
                "modules give"
            )
        attends, told, troubles = self.anatomy.blocks[call.index].attends, [], []
        for scales in sums:
            try:
                told.append(_told(scales, watch.calls, attends))
            except _NoParts as error:
                troubles.append(f"block {call.index} {error}")
        if not told:
            raise _NoParts(troubles[0])
        self.found.append(told)
        return call.forward(call.x, call.mask)


@dataclass
class _Checker:
    """Keeps of what was found what holds on another prompt, with and without edits."""

    blocks: Stepper
    found: Sequence[Sequence[dict[str, Part]]]
    held: list[dict[str, Part]] = field(default_factory=list)

    def visit(self, call: BlockCall) -> mx.array:
        for parts in self.found[call.index]:
            known = Parts((*self.held, parts), None, self.blocks)
            if _adds_up(known, call, None) and _adds_up(known, call, mx.random.key(2)):
                self.held.append(parts)
                return call.forward(call.x, call.mask)
        names = " and ".join(part.module for part in self.found[call.index][0].values())
        raise _NoParts(
            f"what {names} of block {call.index} give adds up to its step on one prompt, and "
            "not on another"
        )


def _adds_up(parts: Parts, call: BlockCall, key: mx.array | None) -> bool:
    """Whether the outputs of a block's parts add up to its step, also if they are replaced."""
    outputs: dict[str, mx.array] = {}

    def keep(kind: str, number: int) -> Edit:
        def edit(output: mx.array) -> mx.array:
            if key is not None:
                size = mx.sqrt(mx.mean(mx.square(call.x.astype(mx.float32))))
                drawn = mx.random.normal(output.shape, key=mx.random.split(key, 4)[number])
                output = (drawn * size).astype(output.dtype)
            outputs[kind] = output
            return output

        return edit

    found = parts.blocks[call.index]
    edits = {kind: keep(kind, number) for number, kind in enumerate(found)}
    with parts.edited(call.index, edits):
        left = call.attempt(call.x, call.mask)
    scales = [part.scale for part in found.values()]
    step = _Step.of(call.x, left)
    return step.is_sum([outputs[kind] for kind in found], scales)


@dataclass(frozen=True)
class _Step:
    """What a block adds to the residual stream."""

    numbers: np.ndarray
    """(rows, tokens, hidden), in float64."""
    size: np.ndarray
    """What rounding is relative to: how large what enters and leaves is."""
    eps: float

    @classmethod
    def of(cls, entered: mx.array, left: mx.array) -> "_Step":
        before, after = _float64(entered), _float64(left)
        return cls(after - before, np.abs(before) + np.abs(after), mx.finfo(left.dtype).eps)

    def is_sum(self, outputs: Sequence[mx.array], scales: Sequence[float]) -> bool:
        """Whether outputs times scales add up to the step, within rounding at every number."""
        eps = max([self.eps, *(mx.finfo(output.dtype).eps for output in outputs)])
        terms = [_float64(output) * scale for output, scale in zip(outputs, scales, strict=True)]
        return _near(self.numbers, sum(terms), self.size + sum(map(np.abs, terms)), eps)


def _near(a: np.ndarray, b: np.ndarray, size: np.ndarray, eps: float) -> bool:
    return bool((np.abs(a - b) <= ROUNDINGS * eps * size).all())


def _float64(a: mx.array) -> np.ndarray:
    return np.array(a.astype(mx.float32)).astype(np.float64)


def _sums(step: _Step, calls: Sequence[Call]) -> Iterator[list[tuple[Call, float]]]:
    """Yield the calls whose outputs, times a number each, make a step; fewest nested first."""
    calls = _apart(calls, step)
    outputs = [_float64(call.out) for call in calls]
    # Each number weighs as much as it is exact: a few of a real model's are thousands of times
    # larger than the others, and so is their rounding.
    weight = 1 / np.where(step.size > 0, step.size, np.inf)
    weighted = np.array([(output * weight).ravel() for output in outputs])
    wanted = (step.numbers * weight).ravel()
    for count in _COUNTS:
        chosen = list(combinations(range(len(calls)), count))
        for these in sorted(chosen, key=lambda these: sum(len(calls[i].around) for i in these)):
            given = [calls[i].out for i in these]
            scales = _scales(weighted[list(these)], wanted)
            for tried in ([1.0] * count, scales):
                if all(scale > 0 for scale in tried) and step.is_sum(given, tried):
                    if all(_matters(step, given, tried, at) for at in range(count)):
                        yield [(calls[i], scale) for i, scale in zip(these, tried, strict=True)]
                    break


def _scales(outputs: np.ndarray, wanted: np.ndarray) -> list[float]:
    """Return what each output is multiplied by, by least squares."""
    return [float(found) for found in np.linalg.lstsq(outputs.T, wanted, rcond=None)[0]]


def _matters(step: _Step, outputs: list[mx.array], scales: list[float], at: int) -> bool:
    """Whether a sum fails without one of its terms."""
    without = [*outputs[:at], *outputs[at + 1 :]], [*scales[:at], *scales[at + 1 :]]
    return not step.is_sum(*without)


def _apart(calls: Sequence[Call], step: _Step) -> list[Call]:
    """Return one call of each group whose outputs are the same but for a factor.

    It is the outermost (a module rather than its last projection); of several the last.
    """
    kept: list[tuple[Call, np.ndarray]] = []
    for call in calls:  # in the order in which they end: what is around comes later
        out = _float64(call.out)
        if not out.any() or not np.isfinite(out).all():
            continue
        alike = [at for at, (_, other) in enumerate(kept) if _parallel(other, out, step.eps)]
        if alike and len(kept[alike[0]][0].around) < len(call.around):
            continue
        kept = [one for at, one in enumerate(kept) if at not in alike] + [(call, out)]
    return [call for call, _ in kept]


def _parallel(a: np.ndarray, b: np.ndarray, eps: float) -> bool:
    factor = np.vdot(a, b) / np.vdot(a, a)
    return factor > 0 and _near(a * factor, b, np.abs(b), eps)


def _told(
    scales: Sequence[tuple[Call, float]], calls: Sequence[Call], attends: bool
) -> dict[str, Part]:
    """Tell which part is which."""
    found: dict[str, Part] = {}
    chosen = [call for call, _ in scales]
    for call, scale in scales:
        chain = _chain(call, calls, [other for other in chosen if other is not call])
        mixing = [one for one in chain if _mixes(one)]
        source = max(mixing or chain, key=lambda one: one.size)
        kind = MLP if not mixing else ATTENTION if attends else MIXER
        if kind in found:
            both = f"{found[kind].source} and {source.name}"
            raise _NoParts(
                f"has two parts that {'do not ' if kind == MLP else ''}mix tokens: {both}"
            )
        found[kind] = Part(kind, call.name, source.name, scale)
    return dict(sorted(found.items(), key=lambda item: item[0] == MLP))


def _chain(call: Call, calls: Sequence[Call], others: Sequence[Call]) -> list[Call]:
    """Return a call, the one whose output it was given, the one that *that* was given, ..."""
    chain, closed = [call], {name for other in others for name in (other.name, *other.around)}
    while True:
        seen = {name for one in chain for name in (one.name, *one.around)} | closed
        earlier = [one for one in calls if one.name not in seen and _same(one.out, chain[-1].x)]
        if not earlier:
            return chain
        chain.append(min(earlier, key=lambda one: len(one.around)))


def _same(a: mx.array, b: mx.array) -> bool:
    return a is b or bool(mx.array_equal(a, b).item())


def _mixes(call: Call) -> bool:
    """Whether what a module gives at a token depends on another token."""
    size = mx.sqrt(mx.mean(mx.square(call.x.astype(mx.float32))))
    noise = (size * mx.random.normal(call.x.shape, key=mx.random.key(3))).astype(call.x.dtype)
    first = mx.arange(call.x.shape[1])[:, None] == 0
    try:
        again = call.again(mx.where(first, noise, call.x))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise _NoParts(f"cannot run {call.name} alone ({said_by(error, 80)})") from None
    before, after = _float64(call.out)[:, 1:], _float64(again)[:, 1:]
    rounding = ROUNDINGS * mx.finfo(call.out.dtype).eps * np.abs(before).mean()
    return bool(np.abs(after - before).mean() > rounding)
