"""Ranks on the command line: who speaks, who writes, and how a process ends that lost another."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlxjsd.errors import InputError, TeamBroken
from mlxjsd.rank import ALONE, Rank
from mlxjsd.run.distributed.launcher import launched_rank, rank_from

if TYPE_CHECKING:
    from mlxjsd.model.tensor_group import Team
    from mlxjsd.run.plan import Plan


def rank_of(given: str | None, tensor_parallel: bool) -> Rank:
    """Return which rank this process is, as it was told or as its launcher says."""
    if given is None:
        return launched_rank()
    if tensor_parallel:
        raise InputError(
            "--rank deals out prompts, and --tensor-parallel splits the model",
            hint="give one of the two",
        )
    return rank_from(given)


@contextmanager
def team_for(tensor_parallel: bool) -> Iterator["Team | None"]:
    """Join the ranks that hold one model together, if that is asked for, and part in the end."""
    if not tensor_parallel:
        yield None
        return
    from mlxjsd.model.tensor_group import Team

    team = Team()
    try:
        try:
            yield team
        finally:
            team.dismiss()
    except TeamBroken as error:
        team.leave(str(error))


def share_of(team: "Team | None", place: Rank, plan: "Plan") -> Rank | None:
    """Return the rank as which this process measures ``plan``.

    None for one that has only helped the first of its team, which is over by then.
    """
    if team is None:
        return place
    from mlxjsd.run.distributed.follower import follow_leader, refuse_other_plans

    refuse_other_plans(plan)
    if team.leads:
        return ALONE  # of all that hold the model, it alone writes
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal tells all; the first one decides
    follow_leader(plan)
    return None
