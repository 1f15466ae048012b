"""The ranks of a tensor-parallel group that do not lead compute what the first one announces."""

from mlxjsd.errors import InputError
from mlxjsd.model.tensor_group import DIRECTIONS, MEASURE, MEASURE_FIRST, STOP
from mlxjsd.run.batch import directions_of, measure_batch, measure_first_batch
from mlxjsd.run.plan import Plan

#: What each announcement asks for.
_COMPUTE = {
    MEASURE: measure_batch,
    MEASURE_FIRST: measure_first_batch,
    DIRECTIONS: directions_of,
}


def check_same_plan(plan: Plan) -> None:
    """Make sure that all ranks of a group were asked for the same.

    Raises:
        InputError: on all ranks, if not.
    """
    group, header = plan.model.group, plan.header()
    assert group is not None
    asked = [
        header[name] for name in ("settings", "limit", "sample", "labelling", "layers", "total")
    ]
    asked += [header["model"]["sha256"], header["data"]["sha256"], plan.fingerprint]
    with group.collective("comparing what was asked for"):
        same = group.all_equal(asked)
    if not same:
        raise InputError(
            "the ranks were not asked for the same",
            hint="give all of them the same model, prompts, settings and --batch-size",
        )
    group.start_following()


def follow_leader(plan: Plan) -> None:
    """Compute what the first rank announces until it says stop; nothing is written.

    Raises:
        GroupBroken: if it is lost.
        MeasurementError: as on the first rank.
    """
    group = plan.model.group
    assert group is not None
    encoded = {plan.positions[e.prompt.id]: e for batch in plan.batches for e in batch}
    while True:
        with group.collective("waiting for the first rank"):
            kind, positions = group.receive()
            if kind != STOP and kind not in _COMPUTE:
                raise RuntimeError(f"the first rank announced {kind}")
        if kind == STOP:
            return
        _COMPUTE[kind](plan, [encoded[position] for position in positions])
