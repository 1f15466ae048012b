"""How a run is looked at, as JSON values, and how one goes back there.

Rows, groups and metrics are known by name: the run may have others by now, and a file can hold
anything. What is not there any more is left as it is.
"""

from collections.abc import Mapping
from typing import Any

from mlxjsd.tui.run_state import RunState, Status


def place_of(state: RunState) -> dict[str, Any]:
    """Return where the cursor is and what is shown."""
    return {
        "row": state.rows[state.row],
        "layer": state.layer,
        "group": state.group,
        "metric": state.metric,
        "lines": state.as_lines,
        "bands": state.bands,
        "map": state.map,
        "map_row": state.map_row,
        "prompt": None if state.selected is None else state.selected.id,
    }


def take_place(state: RunState, place: Mapping[str, Any]) -> None:
    """Go where the run was left; one that is about to begin, or still read, goes there later."""
    if not state.model or state.status is Status.READING:
        state.place = dict(place)
        return
    layer, row = place.get("layer"), place.get("row")
    if isinstance(layer, int) and row in state.rows:
        state.go_to(state.rows.index(row), layer)
    if place.get("metric") in state.grid.metrics:
        state.show_metric(str(place["metric"]))
    if isinstance(group := place.get("group"), str):
        state.show_group(group)
    state.as_lines, state.bands = place.get("lines") is True, place.get("bands") is True
    wanted = place.get("prompt")
    if place.get("map") in state.grid.maps:
        state.map = str(place["map"])
    if isinstance(at := place.get("map_row"), int):
        state.map_row = max(at, 0)
    if isinstance(wanted, str):
        members = (state.measured.records[i] for i in state.measured.members(state.group))
        state.selected = next((record for record in members if record.id == wanted), None)
