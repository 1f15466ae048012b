"""What a run screen shows of a map: tokens by layers of one prompt, roles by layers of a group."""

import math
from typing import TYPE_CHECKING

import numpy as np

from mlxjsd.analysis.roles import RoleMap
from mlxjsd.analysis.token_map import SUBJECT_MARK, token_name
from mlxjsd.maps import label, map_of
from mlxjsd.metrics import Metric
from mlxjsd.records import Record
from mlxjsd.roles import ROLES, role_of
from mlxjsd.tui.colours import Scale
from mlxjsd.tui.scales import automatic, scales_of
from mlxjsd.tui.text import clean

if TYPE_CHECKING:
    from mlxjsd.tui.run_state import RunState

#: Roles by their places, and those that are the subject's.
_ROLES = tuple(ROLES)
_OF_SUBJECT = range(sum("subject" in key for key in _ROLES))


class MapSheet:
    """One map of a run's state, as a grid draws it.

    It keeps nothing: what is selected, the metric and the cursor are the state's.
    """

    def __init__(self, state: "RunState", name: str) -> None:
        """Show a map.

        Args:
            state: of the run.
            name: one of :attr:`mlxjsd.records.Grid.maps`.
        """
        self.state, self.name = state, name

    @property
    def record(self) -> Record | None:
        """The prompt whose tokens are shown; None for the roles of a group."""
        return self.state.selected

    @property
    def title(self) -> str:
        """What the map is called."""
        return clean(label(self.name))

    @property
    def rows(self) -> tuple[str, ...]:
        """Places of the prompt's tokens, or keys of the roles."""
        return _ROLES if self.record is None else tuple(map(str, range(len(self.record.tokens))))

    @property
    def labels(self) -> tuple[str, ...]:
        """The tokens, the subject's with an asterisk, or what the roles are called."""
        if self.record is None:
            return tuple(_short(role.label) for role in ROLES.values())
        return tuple(
            token_name(token) + (SUBJECT_MARK if at in self.marked else "")
            for at, token in enumerate(self.record.tokens)
        )

    @property
    def marked(self) -> range:
        """The subject's tokens, or its roles."""
        return _OF_SUBJECT if self.record is None else range(*self.record.subject_span)

    @property
    def layers(self) -> int:
        """Columns."""
        return self.state.layers

    @property
    def described(self) -> Metric:
        """The metric that is shown."""
        return self.state.described

    @property
    def row(self) -> int:
        """The token, or the role, that the cursor is on."""
        return min(self.state.map_row, len(self.rows) - 1)

    @property
    def layer(self) -> int:
        """The layer that the cursor is on."""
        return self.state.layer

    @property
    def colour_map(self) -> str:
        """Which colours stand for the numbers."""
        return self.state.colour_map

    @property
    def heatmap(self) -> RoleMap:
        """The averages of the group, whose rows are the roles."""
        return self.state.measured.roles(self.name, *self.state.view)

    def shown(self) -> np.ndarray:
        """Return what the grid shows, (rows, L) in the metric's unit."""
        if self.record is None:
            return self.heatmap.mean
        return self.record.map(self.name, self.state.metric)

    def scale(self) -> Scale:
        """Return the scale for what is shown."""
        chosen = scales_of(self.described)[self.state.scale_name]
        return automatic(self.shown(), self.described) if chosen is None else chosen

    @property
    def value(self) -> float:
        """The number under the cursor; NaN where there is none."""
        return float(self.shown()[self.row, self.layer])

    @property
    def role(self) -> str:
        """Key of the role of what the cursor is on; "" for a token in front of the subject."""
        if self.record is None:
            return _ROLES[self.row]
        return role_of(self.row, *self.record.subject_span, len(self.record.tokens))

    def everywhere(self) -> np.ndarray:
        """Return the number of the cursor's role and layer of every prompt, (N,)."""
        values = self.state.measured.by_role(self.name, self.state.metric).means
        if not self.role:
            return np.full(len(values), math.nan)
        return values[:, _ROLES.index(self.role), self.layer]

    def cell(self) -> np.ndarray:
        """Return the same of each prompt of the group."""
        return self.everywhere()[self.state.measured.members(self.state.group)]

    def go_to(self, row: int, layer: int) -> bool:
        """Put the cursor on the cell nearest to this one; return whether it moved."""
        before = self.row, self.layer
        self.state.map_row = min(max(row, 0), len(self.rows) - 1)
        self.state.layer = min(max(layer, 0), self.layers - 1)
        return before != (self.row, self.layer)

    def row_for(self, role: str) -> int:
        """Return the row of a role: the last of its tokens, or the role itself."""
        if self.record is None:
            return _ROLES.index(role) if role in _ROLES else 0
        start, end = self.record.subject_span
        length = len(self.record.tokens)
        found = [at for at in range(length) if role_of(at, start, end, length) == role]
        return found[-1] if found else start


def said_of(name: str) -> str:
    """Say what a map exchanges; "" for one that only its run file knows."""
    try:
        about = map_of(name)
    except KeyError:
        return ""
    said = f"{about.help[:1].upper()}{about.help[1:]}"
    return f"{said}; clean states go into the corrupted run." if about.denoising else f"{said}."


def _short(label: str) -> str:
    """Return a role's label as it fits beside cells: the heading says that they are tokens."""
    return label.replace(" tokens", "").replace(" token", "")
