"""MLX-LM sets how many files a process may open as it is imported; what that breaks is mended here.

It asks for 2,048, and lowers the hard limit to 4,096, for good. Where the hard limit is lower it
cannot be imported at all.
"""

import resource
import sys
from contextlib import suppress

#: As many as MLX-LM asks for.
_WANTED = 2048


def import_mlx_lm() -> None:
    """Import ``mlx_lm.utils`` with the limit raised as far as it may be, and never lowered."""
    if "mlx_lm.utils" in sys.modules:
        return
    own = resource.setrlimit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):
            own(resource.RLIMIT_NOFILE, (most, hard))
    resource.setrlimit = lambda *_: None
    try:
        import mlx_lm.utils  # noqa: F401
    finally:
        resource.setrlimit = own
