"""The parts of each block, found by running it: which modules' outputs enter the residual stream.

No name of a module decides. On a random prompt the calls of all modules inside a block are
recorded, and those are sought whose outputs, times one number each, add up to the block's step
(what leaves it minus what enters it; where a family scales the whole stream, minus a multiple of
what enters it). That covers plain and parallel blocks, scaled residuals,
and norms behind a part, where it is the norm's output that enters. On another prompt the same
sum must hold again, and also with random states in place of the outputs. A part whose output at
a token depends on other tokens is attention (where the block attends); the other is the MLP.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce

import mlx.core as mx
import numpy as np

from mlxjsd.errors import MeasurementError, is_out_of_memory, said_by
from mlxjsd.model.anatomy import Anatomy
from mlxjsd.model.stepping import BlockCall, Stepper
from mlxjsd.model.submodules import Call, Edit, Edits, Interceptor, Watch, submodules
from mlxjsd.model.sums import ROUNDINGS, Step, float64, sums_of

ATTENTION, MLP, MIXER = "attention", "mlp", "mixer"
#: How they are written where people look.
PART_NAMES = {ATTENTION: "attention", MLP: "MLP", MIXER: "mixer"}

#: Rows and tokens of the random prompts.
_ROWS, _TOTAL = 2, 6
#: Different tokens in them; a vocabulary may hold fewer.
_KINDS = 89


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
        if self.module == self.source:
            return self.module if self.scale == 1 else f"{self.scale:.4g} x {self.module}"
        name = f"{self.source} + {self.module}"
        return name if self.scale == 1 else f"{self.scale:.4g} x ({name})"


@dataclass(frozen=True)
class Parts:
    """The parts of all blocks of a model."""

    blocks: tuple[dict[str, Part], ...]
    """Of each block by their kinds; empty where a block does nothing, or parts do not apply."""
    carried: tuple[float, ...]
    """What each block multiplies what enters it by; 1 in nearly all families."""
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

    def left(self, index: int, x: mx.array, outputs: Mapping[str, mx.array]) -> mx.array:
        """Add up what leaves a block, (rows, tokens, hidden).

        Args:
            index: of the block.
            x: what enters it, (rows, tokens, hidden).
            outputs: of its parts, by their kinds.
        """
        scaled = (outputs[kind] * part.scale for kind, part in self.blocks[index].items())
        return reduce(mx.add, scaled, x * self.carried[index])


def parts_of(blocks: Stepper, anatomy: Anatomy, vocabulary: int | None = None) -> Parts:
    """Find the parts of every block by running the model on random tokens.

    Args:
        blocks: of the model.
        anatomy: what the blocks do.
        vocabulary: how many tokens it can look up; None where that is not known.
    """
    finder = _Finder(blocks, anatomy)
    try:
        blocks.run(_tokens(0, vocabulary), finder.visit)
        checker = _Checker(blocks, finder.found)
        blocks.run(_tokens(1, vocabulary), checker.visit)
    except _NoParts as error:
        return Parts(({},) * len(blocks), (1.0,) * len(blocks), str(error), blocks)
    return checker.known(*checker.held)


class _NoParts(Exception):
    """Says why parts cannot be told."""


def _tokens(seed: int, vocabulary: int | None) -> mx.array:
    kinds = min(_KINDS, vocabulary or _KINDS)
    return mx.random.randint(0, kinds, (_ROWS, _TOTAL), key=mx.random.key(seed))


#: What a block multiplies what enters it by, and its parts by their kinds.
_Found = tuple[float, dict[str, Part]]


@dataclass
class _Finder:
    """Finds, for each block of one forward pass, what may be its parts, the likeliest first."""

    blocks: Stepper
    anatomy: Anatomy
    found: list[list[_Found]] = field(default_factory=list)

    def visit(self, call: BlockCall) -> mx.array:
        modules = submodules(self.blocks.blocks[call.index])
        watch = Watch(modules, call.x.shape)
        with Interceptor().over(modules, watch.take):
            left = call.attempt(call.x, call.mask)
        step = Step.of(call.x, left, [one.out for one in watch.calls])
        attends = self.anatomy.blocks[call.index].attends
        told: list[_Found] = []
        trouble = "gives another step than the sum of what two or three of its modules give"
        for carried, scales in sums_of(step, watch.calls):
            if told and len(scales) != len(told[0][1]):
                break  # what has fewer or more terms is not tried unless nothing else fits
            try:
                told.append((carried, _told(scales, watch.calls, attends)))
            except _NoParts as error:
                trouble = str(error)
        if not told:
            raise _NoParts(f"block {call.index} {trouble}")
        self.found.append(told)
        return call.forward(call.x, call.mask)


@dataclass
class _Checker:
    """Keeps of what was found what holds on another prompt, with and without edits."""

    blocks: Stepper
    found: Sequence[Sequence[_Found]]
    held: list[_Found] = field(default_factory=list)

    def known(self, *found: _Found) -> Parts:
        carried, parts = [one[0] for one in found], [one[1] for one in found]
        return Parts(tuple(parts), tuple(carried), None, self.blocks)

    def visit(self, call: BlockCall) -> mx.array:
        for one in self.found[call.index]:
            known = self.known(*self.held, one)
            if _adds_up(known, call, None) and _adds_up(known, call, mx.random.key(2)):
                self.held.append(one)
                return call.forward(call.x, call.mask)
        names = " and ".join(part.module for part in self.found[call.index][0][1].values())
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
    given, scales = [outputs[kind] for kind in found], [part.scale for part in found.values()]
    step = Step.of(call.x, left, given)
    return step.is_sum([float64(one) for one in given], scales, parts.carried[call.index])


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
            none = "do not " if kind == MLP else ""
            raise _NoParts(f"has two parts that {none}mix the tokens that they are given: {both}")
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
    before, after = float64(call.out)[:, 1:], float64(again)[:, 1:]
    rounding = ROUNDINGS * mx.finfo(call.out.dtype).eps * np.abs(before).mean()
    return bool(np.abs(after - before).mean() > rounding)
