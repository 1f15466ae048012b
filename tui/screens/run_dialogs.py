"""What the run screen asks and tells in dialogs, in words."""

from collections import Counter
from collections.abc import Sequence

from mlxjsd.records import Skipped
from mlxjsd.tui.run_state import RunState

#: Reasons that are told of each kind.
_TOLD = 12


def said_of_leaving(state: RunState) -> str:
    """Say what becomes of a run that is left."""
    return (
        f"{_so_far(state)} The batch that is under way is finished first, and every prompt that is "
        "measured is kept. Leave?"
    )


def said_of_stopping(state: RunState) -> str:
    """Say what becomes of a run that is stopped."""
    return f"{_so_far(state)} They are kept, and the run can go on later. Stop it?"


def said_of_another(state: RunState) -> str:
    """Say what becomes of a run in favour of another one."""
    return f"{_so_far(state)} They are kept. Stop this run, and choose the next one?"


def _so_far(state: RunState) -> str:
    if not state.total:
        return "The run has just begun."
    return f"{state.tried} of {state.total} prompts are measured."


def said_of_losses(state: RunState) -> str:
    """Say what went wrong in a run: why it ended, and which prompts have no numbers."""
    parts = [state.failure] if state.failure else []
    parts += _reasons("failed", state.failed) + _reasons("skipped", state.skipped)
    return "\n".join(parts)


def _reasons(what: str, prompts: Sequence[Skipped]) -> list[str]:
    counted = Counter(prompt.reason for prompt in prompts).most_common()
    lines = [f"{count} {what}: {reason}" for reason, count in counted[:_TOLD]]
    if len(counted) > _TOLD:
        lines.append(f"{what} for {len(counted) - _TOLD} other reasons")
    return lines
