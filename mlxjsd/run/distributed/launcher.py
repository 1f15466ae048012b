"""Which part of a run this process measures, where several processes share it.

Only the rank and the number of ranks are taken from MLX's launcher. Nothing is sent from one to
another while a run goes on, not even to say hello, so the death of one costs its unfinished
batch and nothing else.

The unit of work is a batch as it was planned, not a prompt. A prompt's last bits depend on which
prompts go through the model with it, since a BLAS rounds differently by the size of a matrix; so
whole batches are dealt, by their index in the plan, and every number is the one that a single
process would have got. Where memory is short a unit is parted into several batches, so that
machines of different size agree on the units all the same.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.rank import ALONE, Rank

#: Files or values that name all ranks, by the back end of ``mlx.launch`` that sets them.
_LISTS = ("MLX_HOSTFILE", "MLX_IBV_DEVICES")
_MPI = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


def rank_from(text: str) -> Rank:
    """Read a rank that was given by hand, as ``1/2``: the second of two.

    Raises:
        InputError: if it is not of that form.
    """
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text.strip())
    if found is None:
        raise InputError(
            f"{text!r} is no rank", hint="give --rank as 0/2 or 1/2, the first or second of two"
        )
    return Rank(int(found[1]), int(found[2]))


def launched_rank(environment: Mapping[str, str] | None = None) -> Rank:
    """Return which rank a launcher made this process; ``ALONE`` where none did.

    What ``mlx.launch`` sets is read as it stands: MLX's own initialization would first connect
    all ranks, and wait without end for one that does not come. Only for MPI is it asked.

    Args:
        environment: in place of the process's own.

    Raises:
        InputError: if what is set makes no sense.
    """
    env = os.environ if environment is None else environment
    if any(env.get(name) for name in _MPI):
        return _asked_of_mlx()
    if not env.get("MLX_RANK"):
        return ALONE
    try:
        index = int(env["MLX_RANK"])
        lists = [env[name] for name in _LISTS if env.get(name)]
        size = _length(lists[0]) if lists else int(env.get("MLX_WORLD_SIZE") or 1)
    except (OSError, ValueError) as error:
        raise InputError(
            f"MLX_RANK is set, but how many ranks there are cannot be read ({error})",
            hint="start the ranks with mlx.launch, or give --rank",
        ) from None
    return Rank(index, size)


def _length(hostfile: str) -> int:
    text = Path(hostfile).read_text(encoding="utf-8").strip()
    if not text:
        return 1  # what mlx.launch writes for a single rank
    hosts = json.loads(text)
    if not isinstance(hosts, list) or not hosts:
        raise ValueError(f"{hostfile} holds no list of hosts")
    return len(hosts)


def _asked_of_mlx() -> Rank:

    import mlx.core as mx  # isort: skip

    group = mx.distributed.init()
    return Rank(group.rank(), group.size())
