"""Ranks on the command line: which one this process is, and how it ends if it loses another."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlxjsd.errors import GroupBroken, InputError
from mlxjsd.rank import ALONE, Rank
from mlxjsd.run.distributed.launcher import launched_rank, rank_from

if TYPE_CHECKING:
    from mlxjsd.model.tensor_group import TensorParallelGroup
    from mlxjsd.run.plan import Plan


def rank_of(given: str | None, tensor_parallel: bool) -> Rank:
    """Return which rank this process is, by ``--rank`` or by its launcher."""
    if given is None:
        return launched_rank()
    if tensor_parallel:
        raise InputError(
            "--rank distributes the prompts, and --tensor-parallel splits the model",
            hint="give one of the two",
        )
    return rank_from(given)


@contextmanager
def joined_group(tensor_parallel: bool) -> Iterator["TensorParallelGroup | None"]:
    """Join the ranks that hold one model together, if that is asked for; in the end leave them."""
    if not tensor_parallel:
        yield None
        return
    from mlxjsd.model.tensor_group import TensorParallelGroup

    group = TensorParallelGroup()
    try:
        try:
            yield group
        finally:
            group.stop_followers()
    except GroupBroken as error:
        group.abort(str(error))


def measuring_rank(group: "TensorParallelGroup | None", rank: Rank, plan: "Plan") -> Rank | None:
    """Return the rank as which this process measures ``plan``.

    None for one that follows the first rank of its group, which is over by then.
    """
    if group is None:
        return rank
    from mlxjsd.run.distributed.follower import check_same_plan, follow_leader

    check_same_plan(plan)
    if group.leads:
        return ALONE  # of all that hold the model, it alone writes
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal sends them to all; the first one decides
    follow_leader(plan)
    return None
