"""A fast BLAS for MLX on Linux, where one is installed.

MLX's Linux wheel bundles the reference BLAS (some 6 GFLOP/s). Debian's OpenBLAS exports
the same symbols; loaded into the global namespace before ``mlx.core`` it takes their
place and runs over thirty times faster. On macOS MLX has Accelerate, and nothing is done.
"""

import ctypes
import os
import sys
from pathlib import Path

#: Set to 0 to keep MLX's own BLAS.
SWITCH = "MLXJSD_OPENBLAS"


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


def _openblas_is_loaded() -> bool:
    try:
        with Path("/proc/self/maps").open(encoding="utf-8", errors="replace") as maps:
            # NumPy and SciPy carry private copies under other symbol names; not those.
            return any("/libopenblas" in line and ".libs/" not in line for line in maps)
    except OSError:
        return False
