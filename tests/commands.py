"""Running the command line in this process."""

import pytest

from mlxjsd.cli import main


def call(*arguments: object) -> int:
    """Run the command line; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return int(ended.value.code or 0)
