"""What the ranks of a team do that do not lead: the same as the first one, as they hear it."""

from mlxjsd.errors import InputError
from mlxjsd.model.tensor_group import DIRECTIONS, MEASURE, MEASURE_FIRST, STOP
from mlxjsd.run.batch import directions_of, measure_batch, measure_first_batch
from mlxjsd.run.plan import Plan

_DONE_BY = {
    MEASURE: measure_batch,
    MEASURE_FIRST: measure_first_batch,
    DIRECTIONS: directions_of,
}


def refuse_other_plans(plan: Plan) -> None:
    """Make sure that all ranks of a team were given the same.

    Raises:
        InputError: on all ranks, if not.
    """
    team, header = plan.model.team, plan.header()
    assert team is not None
    asked = [header[name] for name in ("settings", "limit", "labelling", "layers", "total")]
    asked += [header["model"]["sha256"], header["data"]["sha256"], plan.fingerprint]
    with team.meeting("comparing what was asked for"):
        same = team.same(asked)
    if not same:
        raise InputError(
            "the ranks were not asked for the same",
            hint="give all of them the same model, prompts, settings and --batch-size",
        )
    team.follow()


def follow_leader(plan: Plan) -> None:
    """Compute with the first rank until it lets go; nothing is written.

    Raises:
        TeamBroken: if it is lost.
        MeasurementError: as on the first rank.
    """
    team = plan.model.team
    assert team is not None
    encoded = {plan.positions[e.prompt.id]: e for batch in plan.batches for e in batch}
    while True:
        with team.meeting("waiting for the first rank"):
            kind, positions = team.heard()
            if kind != STOP and kind not in _DONE_BY:
                raise RuntimeError(f"the first rank announced {kind}")
        if kind == STOP:
            return
        _DONE_BY[kind](plan, [encoded[position] for position in positions])
