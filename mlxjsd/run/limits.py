"""MLX's limits are the process's: what a run sets, it puts back."""

from collections.abc import Iterator
from contextlib import contextmanager

import mlx.core as mx


@contextmanager
def reuse_limited(bytes_kept: int) -> Iterator[None]:
    """Let MLX keep at most so many bytes of freed buffers for reuse, within this context.

    Every batch asks for the same buffers again; what a larger one left behind is never asked for
    again, and would stay.
    """
    before = mx.set_cache_limit(bytes_kept)
    try:
        yield
    finally:
        mx.set_cache_limit(before)
