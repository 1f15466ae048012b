"""Corrupted subjects, and the batches that they are measured in."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.interventions.corruption.control import control_span
from mlxjsd.interventions.corruption.draws import Drawing
from mlxjsd.interventions.corruption.noise import Noise
from mlxjsd.interventions.corruption.pair import Pair, first_token
from mlxjsd.interventions.corruption.protocol import Corruptor, Make, Model
from mlxjsd.interventions.corruption.stored import Sources, levels_of, stored, stored_drawing
from mlxjsd.interventions.corruption.swap import Swap
from mlxjsd.interventions.spec import NO_TOKEN, Batch
from mlxjsd.prompts.encode import Encoded, Encoder
from mlxjsd.rows import ROWS
from mlxjsd.settings import Settings

#: Every corruption of :data:`mlxjsd.corruptions.CORRUPTIONS` has its entry here.
MAKE: dict[str, Make] = {"noise": Noise, "swap": Swap, "pair": Pair}


class Corruption:
    """Makes batches of prompts with their corruption; a context manager."""

    def __init__(
        self,
        settings: Settings,
        prompts: Sequence[Encoded],
        model: Model,
        sources: Sources | None = None,
    ) -> None:
        """Prepare for all usable ``prompts`` of the file, before any limit.

        Args:
            settings: which corruption, and its seed.
            prompts: at least one.
            model: to be measured.
            sources: what :meth:`source` said of these prompts, where a run has stored it; None
                to work it out from all prompts.
        """
        self.settings = settings
        own = MAKE[settings.corruption] if sources is None else stored(sources)
        self.by: Corruptor = own(settings, prompts, model)
        self._tokens = _Tokens(settings, prompts, model.encoder, self.by, sources is not None)
        self._drawing = (
            Drawing.of(settings, prompts, model)
            if sources is None
            else stored_drawing(settings, prompts, model, sources)
        )
        self._controls = any(ROWS[key].hidden == "control" for key in settings.rows)
        self._maker: ThreadPoolExecutor | None = None
        self._ahead: dict[tuple[str, ...], Future[Batch]] = {}

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why ``prompt`` cannot be corrupted, or None."""
        return self.by.reason_against(prompt)

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what the subject's states are replaced from, as JSON values."""
        found = self.by.source(prompt)
        # With these, it can be measured again without the rest of its data file.
        return found | ({} if self._drawing is None else levels_of(self._drawing))

    def prepare(self, prompts: Sequence[Encoded]) -> None:
        """Begin to make the batch that is asked for after this one, while the device computes.

        On a thread of its own, which it may be: only NumPy is at work. What is never asked for,
        since it is measured in parts, gives way to what comes later.
        """
        if self._maker is None:
            self._maker = ThreadPoolExecutor(1, thread_name_prefix="corruption")
        while len(self._ahead) > 1:
            del self._ahead[next(iter(self._ahead))]
        self._ahead[_ids(prompts)] = self._maker.submit(self._made, prompts)

    def batch(self, prompts: Sequence[Encoded]) -> Batch:
        """Put prompts of one length and one subject end together, with their corruption."""
        ahead = self._ahead.pop(_ids(prompts), None)
        return self._made(prompts) if ahead is None else ahead.result()

    def close(self) -> None:
        """End the thread that prepares batches; another call of :meth:`prepare` begins anew."""
        if self._maker is not None:
            self._maker.shutdown(cancel_futures=True)
        self._maker = None
        self._ahead.clear()

    def __enter__(self) -> "Corruption":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _made(self, prompts: Sequence[Encoded]) -> Batch:
        tokens = np.array([p.tokens for p in prompts], dtype=np.int32)
        starts = np.array([p.start for p in prompts], dtype=np.int32)
        end, samples = prompts[0].end, range(self.settings.samples)
        make = partial(
            Batch,
            tokens,
            starts,
            end,
            begun=np.array([p.begun for p in prompts], dtype=np.int32),
            controls=np.array([control_span(p) for p in prompts]) if self._controls else None,
            targets=_looked_up(self._tokens.targets, prompts),
            counterfactuals=_looked_up(self._tokens.counterfactuals, prompts),
            draws=None if self._drawing is None else self._drawing.batch(prompts),
        )
        corrupted = [self.by.tokens(prompt) for prompt in prompts]
        if None not in corrupted:
            return make(source_tokens=np.array(corrupted, dtype=np.int32))
        first = int(starts.min())
        changes = [np.stack([self._change(p, sample) for sample in samples]) for p in prompts]
        shape = (len(prompts), len(samples), end - first, changes[0].shape[-1])
        noise = np.zeros(shape, dtype=np.float32)
        for row, (start, change) in enumerate(zip(starts, changes, strict=True)):
            noise[row, :, start - first :] = change
        return make(noise=noise)

    def _change(self, prompt: Encoded, sample: int) -> np.ndarray:
        change = self.by.change(prompt, sample)
        if change is None:
            raise ValueError(
                f"the corruption {self.settings.corruption!r} leaves a prompt as it is"
            )
        return change


class _Tokens:
    """The tokens whose probability and logit are measured, where data names them."""

    def __init__(
        self,
        settings: Settings,
        prompts: Sequence[Encoded],
        encoder: Encoder,
        by: Corruptor,
        few: bool = False,
    ) -> None:
        """Look the tokens up; ``few`` says that the prompts are some of a run's, not all."""
        self.targets: dict[str, int] | None = None
        self.counterfactuals: dict[str, int] | None = None
        if settings.target == "answer":
            firsts = {p.prompt.id: first_token(p, encoder, settings) for p in prompts}
            self.targets = {name: token for name, token in firsts.items() if token is not None}
            if not self.targets and not few:
                raise InputError(
                    "no prompt has an answer whose first token could be the target",
                    hint="leave --target out, or give the prompts answers",
                )
        usable = (p for p in prompts if by.reason_against(p) is None)
        others = {p.prompt.id: by.other_answer(p) for p in usable}
        if any(token is not None for token in others.values()):
            self.counterfactuals = {n: token for n, token in others.items() if token is not None}


def _looked_up(tokens: dict[str, int] | None, prompts: Sequence[Encoded]) -> np.ndarray | None:
    """Return the token of each prompt, (B,) int32, ``NO_TOKEN`` for those that have none."""
    if tokens is None:
        return None
    return np.array([tokens.get(p.prompt.id, NO_TOKEN) for p in prompts], dtype=np.int32)


def _ids(prompts: Sequence[Encoded]) -> tuple[str, ...]:
    return tuple(prompt.prompt.id for prompt in prompts)
