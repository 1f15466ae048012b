"""Corrupted subjects, and the batches that they are measured in."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np

from mlxjsd.interventions.corruption.noise import Noise
from mlxjsd.interventions.corruption.protocol import Corruptor, Make, Model
from mlxjsd.interventions.corruption.swap import Swap
from mlxjsd.interventions.spec import Batch
from mlxjsd.prompts.encode import Encoded
from mlxjsd.settings import Settings

#: Every corruption of :data:`mlxjsd.corruptions.CORRUPTIONS` has its entry here.
MAKE: dict[str, Make] = {"noise": Noise, "swap": Swap}


class Corruption:
    """Makes batches of prompts with their corruption; a context manager."""

    def __init__(
        self,
        settings: Settings,
        prompts: Sequence[Encoded],
        model: Model,
        make: Make | None = None,
    ) -> None:
        """Prepare for all usable ``prompts`` of the file, before any limit.

        Args:
            settings: which corruption, and its seed.
            prompts: at least one.
            model: to be measured.
            make: prepares in another way than the settings' own, such as
                :class:`mlxjsd.interventions.corruption.stored.Stored`.
        """
        self.settings = settings
        self.by: Corruptor = (make or MAKE[settings.corruption])(settings, prompts, model)
        self._maker: ThreadPoolExecutor | None = None
        self._ahead: dict[tuple[str, ...], Future[Batch]] = {}

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why ``prompt`` cannot be corrupted, or None."""
        return self.by.reason_against(prompt)

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what the subject's states are replaced from, as JSON values."""
        return self.by.source(prompt)

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
        corrupted = [self.by.tokens(prompt) for prompt in prompts]
        if None not in corrupted:
            replaced = np.array(corrupted, dtype=np.int32)
            return Batch(tokens, starts, end, source_tokens=replaced)
        first = int(starts.min())
        changes = [np.stack([self._change(p, sample) for sample in samples]) for p in prompts]
        shape = (len(prompts), len(samples), end - first, changes[0].shape[-1])
        noise = np.zeros(shape, dtype=np.float32)
        for row, (start, change) in enumerate(zip(starts, changes, strict=True)):
            noise[row, :, start - first :] = change
        return Batch(tokens, starts, end, noise=noise)

    def _change(self, prompt: Encoded, sample: int) -> np.ndarray:
        change = self.by.change(prompt, sample)
        if change is None:
            raise ValueError(
                f"the corruption {self.settings.corruption!r} leaves a prompt as it is"
            )
        return change


def _ids(prompts: Sequence[Encoded]) -> tuple[str, ...]:
    return tuple(prompt.prompt.id for prompt in prompts)
