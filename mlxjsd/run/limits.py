"""MLX's limits are the process's: what a run sets, it puts back."""

from collections.abc import Iterator
from contextlib import contextmanager

import mlx.core as mx


@contextmanager
def limits(bytes_kept: int) -> Iterator[None]:
    """Set MLX's limits for a run, within this context.

    Every batch asks for the same buffers again; what a larger one left behind is never asked for
    again, and would stay: at most ``bytes_kept`` of freed buffers are kept for reuse. On Metal
    what the machine recommends is wired, as MLX-LM does for generation, so that weights are not
    paged out between passes, and no more than that is taken before freed memory is waited for.
    """
    cache = mx.set_cache_limit(bytes_kept)
    recommended = _recommended()
    if recommended:
        wired, memory = mx.set_wired_limit(recommended), mx.set_memory_limit(recommended)
    try:
        yield
    finally:
        mx.set_cache_limit(cache)
        if recommended:
            mx.synchronize()  # nothing that is still computed may lose its pages
            mx.set_wired_limit(wired)
            mx.set_memory_limit(memory)


def _recommended() -> int:
    """Return the bytes of the working set that Metal recommends; 0 without Metal."""
    if not mx.metal.is_available():
        return 0
    return int(mx.device_info().get("max_recommended_working_set_size", 0))
