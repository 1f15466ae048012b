"""The keys of the run screen, and which of them do something at the moment."""

from textual.binding import Binding, BindingType

from mlxjsd.analysis.answers import ASSOCIATED, FACTUAL, UNASSOCIATED
from mlxjsd.metrics import JSD
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.run_data import ALL
from mlxjsd.tui.run_state import RunState, Status

KEYS: list[BindingType] = [
    Binding("space", "pause", "Pause/go on", id="run.pause", key_display="space",
            tooltip="Pause after the current batch, or go on"),
    Binding("x", "stop", "Stop", id="run.stop",
            tooltip="Stop after the current batch; what is measured is kept"),
    Binding("a", "toggle_prompt", "Prompt", id="run.prompt",
            tooltip="Show the highlighted prompt's own heatmap, or the average again"),
    Binding("v", "next_map", "Map", id="run.map",
            tooltip="Show each token by layer, map after map, or the rows again"),
    Binding("g", "toggle_lines", "Lines", id="run.lines",
            tooltip="Show the numbers as coloured cells or as lines"),
    Binding("i", "toggle_bands", "Interval", id="run.bands",
            tooltip="Show the 95 % interval of each mean as a band around its line"),
    Binding("f", "next_group", "Answers", id="run.group",
            tooltip="Go through the kinds of answer: all, FA, AH, UH"),
    Binding("1", f"group('{ALL}')", ALL, id="run.all", tooltip="Show all prompts"),
    Binding("2", f"group('{FACTUAL}')", FACTUAL, id="run.fa",
            tooltip="Show factual associations only: right answers"),
    Binding("3", f"group('{ASSOCIATED}')", ASSOCIATED, id="run.ah",
            tooltip="Show associated hallucinations only: wrong, and leaning on the subject"),
    Binding("4", f"group('{UNASSOCIATED}')", UNASSOCIATED, id="run.uh",
            tooltip="Show unassociated hallucinations only: wrong, without the subject"),
    Binding("w", "read", "Words", id="run.read",
            tooltip="Say in plain words what is shown: phases, peaks, where rows cross"),
    Binding("d", "compare", "Compare", id="run.compare",
            tooltip="Show another run or a published figure beside this, and the difference"),
    Binding("m", "next_metric", "Metric", id="run.metric",
            tooltip="Show the next metric that the run has measured"),
    Binding("s", "next_scale", "Scale", id="run.scale",
            tooltip="Colour scale: automatic, all that is possible, or as published"),
    Binding("c", "next_colours", "Colours", id="run.colours",
            tooltip="Take the next colour map"),
    Binding("e", "export", "Export", id="run.export",
            tooltip="Write the figure, or the numbers of the run"),
    Binding("y", "copy_value", "Copy", id="run.copy",
            tooltip="Copy the value under the cursor, its row, or the figure"),
    Binding("slash", "filter", "Filter", id="run.filter", key_display="/",
            tooltip="List only prompts in which a text stands"),
    Binding("r", "sort", "Sort", id="run.sort",
            tooltip="Sort the prompts by the next column"),
    Binding("R", "reverse", "Reverse", id="run.reverse", show=False,
            tooltip="Turn the order of the prompts round"),
    Binding("n", "new_run", "New", id="run.new",
            tooltip="Stop, and measure again with other settings"),
    Binding("exclamation_mark", "why", "Why", id="run.why", key_display="!",
            tooltip="Say what went wrong, and which prompts were not measured"),
    Binding("o", "app.open_run", "Open", id="run.open", tooltip="Open another run"),
    Binding("escape", "average", "Average", id="run.average", show=False,
            tooltip="Back from one prompt to the average"),
]  # fmt: skip


def footer(state: RunState, job: Job | None, filtering: bool) -> tuple[tuple[str, str], ...]:
    """Return what stands in the footer: ids of bindings and their labels, those in use first.

    Args:
        state: what is shown.
        job: see :func:`works`.
        filtering: whether letters go into the filter.
    """
    end = (("app.jump", "Jump"), ("app.help", "Help"), ("app.quit", "Quit"))
    if filtering:
        away = (("app.help_anywhere", "Help"), ("app.quit_anywhere", "Quit"))
        return (("run.average", "End filter"), *away)
    status = state.status
    look = (
        ("run.lines", "Cells" if state.as_lines else "Lines"),
        *([("run.map", next_map(state))] if state.grid.maps else []),
        ("run.prompt", "Prompt" if state.selected is None else "Average"),
        ("run.group", "Answers"),
        ("run.metric", "Metric"),
        ("run.filter", "Filter"),
        ("run.export", "Export"),
    )
    if status.live:
        pause = "Go on" if status is Status.PAUSED else "Pause"
        return (("run.pause", pause), ("run.stop", "Stop"), *look, *end)
    again = (("run.new", "New run"),)
    if status is Status.FINISHED:
        return (*look[:4], ("run.read", "Words"), ("run.compare", "Compare"), *look[4:],
                *again, *end[1:])  # fmt: skip
    return (("run.pause", "Go on"), ("run.why", "Why"), ("run.new", "Settings"), *look, *end[1:])


def next_map(state: RunState) -> str:
    """Return what the key of the maps leads to."""
    if state.map is None:
        return "Map"
    return "Rows" if state.map == state.grid.maps[-1] else "Next map"


#: What needs a number to work on.
_OF_NUMBERS = (
    "export", "copy_value", "toggle_prompt", "sort", "reverse", "filter", "read", "toggle_bands",
    "compare", "next_map",
)  # fmt: skip
#: What rows have and maps have not.
_OF_ROWS = ("toggle_lines", "toggle_bands", "read", "compare")


def works(
    action: str, parameters: tuple[object, ...], state: RunState, job: Job | None
) -> bool | None:
    """Say whether a key does something: None greys it out, False hides it.

    Args:
        action: of the key.
        parameters: of the action.
        state: what is shown.
        job: how the run is computed; None if it cannot be taken up.
    """
    status = state.status
    if action == "pause":
        able = status in (Status.RUNNING, Status.PAUSED, Status.STOPPED, Status.FAILED)
        return True if able and job is not None else None
    if action == "stop":
        return True if status.live and status is not Status.STOPPING else None
    if action == "why":
        return True if state.failure or state.failed or state.skipped else None
    if action == "next_map" and not state.grid.maps:
        return False
    if action in _OF_NUMBERS and not state.done:
        return None
    if action in _OF_ROWS and state.map is not None:
        return None
    if action == "read":  # its sentences are about divergences
        return True if state.metric == JSD.key else None
    if action == "next_metric":
        return len(state.grid.metrics) > 1
    if action == "next_colours":
        return None if state.described.signed else True
    if action == "next_group":
        return True if len(state.measured.groups()) > 1 else None
    if action == "group":
        group = str(parameters[0])
        there = group == ALL or state.measured.count(group)
        return True if there and group != state.group else None
    return True
