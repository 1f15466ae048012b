"""A fast BLAS for MLX on Linux, where one is installed.

MLX's Linux wheel bundles the reference BLAS (some 6 GFLOP/s). Debian's OpenBLAS exports
the same symbols; loaded into the global namespace before ``mlx.core`` it takes their
place and runs over thirty times faster. On macOS MLX has Accelerate, and nothing is done.
"""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

#: Set to 0 to keep MLX's own BLAS.
SWITCH = "MLXJSD_OPENBLAS"
#: Up to this width products are too small to be shared.
SMALL = 512


def prefer_openblas() -> bool:
    """Load OpenBLAS if it is there; return whether it serves MLX now.

    Has an effect only before the first import of ``mlx.core``.
    """
    if sys.platform != "linux" or os.environ.get(SWITCH) == "0":
        return False
    if "mlx.core" not in sys.modules:
        try:
            ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL)
        except OSError:
            return False
    return _openblas_is_loaded()


def calm_openblas(hidden_size: int) -> None:
    """Let OpenBLAS multiply on one core for a model of ``hidden_size``, if that is small.

    Its threads wait by spinning. Matrices this small gain nothing from a second one, and
    whatever else the machine does then takes over twice as long. OPENBLAS_NUM_THREADS decides
    where it is set.
    """
    if hidden_size < SMALL and "OPENBLAS_NUM_THREADS" not in os.environ:
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(1)


def _openblas_is_loaded() -> bool:
    try:
        with Path("/proc/self/maps").open(encoding="utf-8", errors="replace") as maps:
            # NumPy and SciPy carry private copies under other symbol names; not those.
            return any("/libopenblas" in line and ".libs/" not in line for line in maps)
    except OSError:
        return False


#: Whether OpenBLAS serves MLX.
OPENBLAS = prefer_openblas()
