"""MLX-LM sets how many files a process may open as it is imported; what that breaks is mended here.

It asks for 2,048, and lowers the hard limit to 4,096, for good. Where the hard limit is lower it
cannot be imported at all.
"""

import importlib
import resource
import sys
from contextlib import suppress
from types import ModuleType

#: As many as MLX-LM asks for.
_WANTED = 2048


def mlx_lm_utils() -> ModuleType:
    """Return ``mlx_lm.utils``, imported with the limit raised where it may be, not lowered."""
    if (known := sys.modules.get("mlx_lm.utils")) is not None:
        return known
    own = resource.setrlimit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):
            own(resource.RLIMIT_NOFILE, (most, hard))
    resource.setrlimit = lambda *_: None
    try:
        return importlib.import_module("mlx_lm.utils")
    finally:
        resource.setrlimit = own
