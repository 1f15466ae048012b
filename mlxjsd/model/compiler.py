"""Whether MLX can fuse kernels here: on Linux its CPU back end calls a compiler at run time."""

import shutil
import sys

import mlx.core as mx


def can_fuse() -> bool:
    """Say whether kernels are fused; where no compiler is found, keep MLX from calling one."""
    on_linux_cpu = sys.platform == "linux" and mx.default_device() == mx.Device(mx.cpu)
    if on_linux_cpu and shutil.which("g++") is None:
        mx.disable_compile()
        return False
    return True
