"""Which share of a run this process measures, where several processes measure it together.

Only the rank and the number of ranks are taken from MLX's launcher. Processes send each other
nothing while a run goes on, so the death of one costs its unfinished batch and nothing else.

Work is distributed in whole batches, by their index in the plan. The last bits of a prompt's
numbers depend on which prompts go through the model with it, since a BLAS rounds differently by
the size of a matrix. With whole batches every number is the one that a single process gets. Where
memory is short, a unit of work is split into several batches, so machines of different size agree
on the units.
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

    The variables that ``mlx.launch`` sets are read here: MLX's own initialization connects all
    ranks first, and waits without end for one that does not come. It is used for MPI only.

    Args:
        environment: in place of the process's own.

    Raises:
        InputError: if what is set makes no sense.
    """
    env = os.environ if environment is None else environment
    if any(env.get(name) for name in _MPI):
        return _rank_of_mpi()
    if not env.get("MLX_RANK"):
        return ALONE
    try:
        index = int(env["MLX_RANK"])
        lists = [env[name] for name in _LISTS if env.get(name)]
        size = _number_of_hosts(lists[0]) if lists else int(env.get("MLX_WORLD_SIZE") or 1)
    except (OSError, ValueError) as error:
        raise InputError(
            f"MLX_RANK is set, but how many ranks there are cannot be read ({error})",
            hint="start the ranks with mlx.launch, or give --rank",
        ) from None
    return Rank(index, size)


def _number_of_hosts(hostfile: str) -> int:
    text = Path(hostfile).read_text(encoding="utf-8").strip()
    if not text:
        return 1  # what mlx.launch writes for a single rank
    hosts = json.loads(text)
    if not isinstance(hosts, list) or not hosts:
        raise ValueError(f"{hostfile} holds no list of hosts")
    return len(hosts)


def _rank_of_mpi() -> Rank:
    import mlx.core as mx

    group = mx.distributed.init()
    return Rank(group.rank(), group.size())
