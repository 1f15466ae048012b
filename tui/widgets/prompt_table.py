"""The prompts, sorted and filtered: only the lines on the screen are ever drawn."""

import math
from typing import ClassVar

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mlxjsd.records import Record
from mlxjsd.tui.run_data import Measured
from mlxjsd.tui.run_state import RunState, Status
from mlxjsd.tui.shortening import around, subject_place
from mlxjsd.tui.styles import part
from mlxjsd.tui.text import clean, fitted, number

#: Columns from the left: name, width, and how wide the list is at least that has it. The first one
#: takes what is left.
_COLUMNS = (
    ("prompt", 0, 0),
    ("answer", 12, 0),
    ("expected", 16, 96),
    ("kind", 6, 84),
    ("relation", 20, 124),
    ("p", 5, 50),
    ("reliance", 9, 0),
    ("cell", 6, 62),
)
#: From this width on, the answer is given some more.
_WIDE, _MORE = 72, 10
#: Those that are texts, and stand on the left of their column.
_TEXTS = ("prompt", "answer", "expected", "kind", "relation")


class PromptTable(ScrollView, can_focus=True):
    """Text, answer, what was expected, and the value of the cell under the cursor."""

    KEYS_OF = "The prompts"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Show this prompt", id="prompts.choose", show=False,
                tooltip="Show the heatmap of the highlighted prompt"),
        Binding("up,k", "step(-1)", "Prompt above", id="prompts.up", show=False,
                tooltip="Highlight the prompt above"),
        Binding("down,j", "step(1)", "Prompt below", id="prompts.down", show=False,
                tooltip="Highlight the prompt below"),
        Binding("pageup", "page(-1)", "Page up", id="prompts.page_up", show=False,
                tooltip="Go up by a page of prompts"),
        Binding("pagedown", "page(1)", "Page down", id="prompts.page_down", show=False,
                tooltip="Go down by a page of prompts"),
        Binding("home", "step(-1000000000)", "First prompt", id="prompts.first", show=False,
                tooltip="Highlight the first prompt"),
        Binding("end", "step(1000000000)", "Last prompt", id="prompts.last", show=False,
                tooltip="Highlight the last prompt"),
    ]  # fmt: skip
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "prompts--head",
        "prompts--sorted",
        "prompts--line",
        "prompts--subject",
        "prompts--dim",
        "prompts--cursor",
        "prompts--cursor-away",
        "prompts--right",
        "prompts--wrong",
    }
    DEFAULT_CSS = """
    PromptTable {
        height: 1fr;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        .prompts--head { color: $text-muted; text-style: bold; }
        .prompts--sorted { color: $text-accent; text-style: bold; }
        .prompts--line { color: $foreground; }
        .prompts--subject { color: $text-warning; }
        .prompts--dim { color: $text-muted; }
        .prompts--cursor { background: $accent 40%; text-style: bold; }
        .prompts--cursor-away { background: $foreground 10%; }
        .prompts--right { color: $text-success; }
        .prompts--wrong { color: $text-error; }
    }
    """

    class Chosen(Message):
        """A prompt is to be shown by itself."""

        def __init__(self, record: Record) -> None:
            super().__init__()
            self.record = record

    def __init__(self, state: RunState) -> None:
        super().__init__(id="prompts")
        self.state = state
        self.sorted_by, self.descending = "prompt", False
        self.filter = ""
        self.at = 0
        self._lines: list[int] = []
        self._texts: list[str] = []
        self._texts_of: Measured | None = None

    # What is listed.

    @property
    def highlighted(self) -> Record | None:
        """The prompt under the table's cursor."""
        return self.state.measured.records[self._lines[self.at]] if self._lines else None

    @property
    def count(self) -> int:
        """How many prompts of the group pass the filter."""
        return len(self._lines)

    def show_state(self) -> None:
        """Sort and filter anew; the highlighted prompt stays highlighted."""
        kept = self.highlighted if self.at else None
        records = self.state.measured.records
        wanted = self.filter.casefold()
        members = self.state.measured.members(self.state.group).tolist()
        places = [i for i in members if wanted in self._searched(i)] if wanted else members
        self._lines = places = self._sorted(places)
        at = next((n for n, i in enumerate(places) if records[i] is kept), self.at) if kept else 0
        self.at = min(at, max(len(places) - 1, 0))
        self.virtual_size = Size(0, len(places) + 1)
        self.refresh()

    def cursor_moved(self) -> None:
        """The cell is another one: its column, and maybe the order, change."""
        if self.sorted_by == "cell":
            self.show_state()
        elif self._columns()[-1][0] == "cell":
            self.refresh()

    def sort_by(self, column: str) -> None:
        """Sort by a column; again, the other way round."""
        if column == self.sorted_by:
            self.descending = not self.descending
        else:
            self.sorted_by, self.descending = column, column in ("p", "reliance", "cell")
        self.show_state()

    def sort_by_next(self) -> None:
        """Sort by the next column that is shown."""
        names = [name for name, _ in self._columns()]
        at = names.index(self.sorted_by) if self.sorted_by in names else -1
        self.sort_by(names[(at + 1) % len(names)])

    def set_filter(self, text: str) -> None:
        self.filter, self.at = text, 0
        self.scroll_to(y=0, animate=False)
        self.show_state()

    def _sorted(self, places: list[int]) -> list[int]:
        """Return ``places`` in the order of the column; equal ones stay as they are."""
        measured = self.state.measured
        if self.sorted_by in _TEXTS[1:]:
            said = [self._said(self.sorted_by, i).casefold() for i in range(len(measured.records))]
            return sorted(places, key=said.__getitem__, reverse=self.descending)
        if self.sorted_by == "prompt":
            values = measured.positions
        elif self.sorted_by == "p":
            values = np.array([record.probability for record in measured.records])
        else:
            values = measured.reliances if self.sorted_by == "reliance" else self._cells()
        at = np.array(places, dtype=int)
        keys = np.where(np.isnan(values[at]), -np.inf, values[at])  # what does not apply comes last
        return at[np.argsort(-keys if self.descending else keys, kind="stable")].tolist()

    def _searched(self, place: int) -> str:
        """Return what typing is compared with; worked out once for each prompt."""
        measured = self.state.measured
        if self._texts_of is not measured:
            self._texts, self._texts_of = [], measured
        for record in measured.records[len(self._texts) :]:
            self._texts.append(_searched(record))
        return self._texts[place]

    def _cells(self) -> np.ndarray:
        """Return the number under the heatmap's cursor of every prompt."""
        return self.state.sheet.everywhere()

    # How it is drawn.

    def _columns(self) -> list[tuple[str, int]]:
        width = self.scrollable_content_region.width
        more = _MORE if width >= _WIDE else 0
        columns = [
            (name, size + (more if name == "answer" else 0))
            for name, size, least in _COLUMNS
            if width >= least
        ]
        rest = width - sum(size for _, size in columns)
        return [(name, size or max(rest, 8)) for name, size in columns]

    def render_line(self, y: int) -> Strip:
        """Return the heading, or one prompt."""
        width = self.scrollable_content_region.width
        if y == 0:
            return Strip(self._head()).apply_style(self.rich_style).adjust_cell_length(width)
        place = y - 1 + self.scroll_offset.y
        if place >= len(self._lines):
            said = ""
            if y == 1 and not self._lines:
                waiting = "the first batch is on its way"
                said = waiting if self.state.status.live else "no prompt is measured"
                said = "reading …" if self.state.status is Status.READING else said
                said = "no prompt matches" if self.filter else said
            line = Strip([Segment(said, self._part("dim"))]).apply_style(self.rich_style)
            return line.adjust_cell_length(width, self.rich_style)
        style = self.rich_style
        if place == self.at:
            style += self._part("cursor" if self.has_focus else "cursor-away")
        strip = Strip(self._row(self._lines[place])).apply_style(style)
        return strip.adjust_cell_length(width, style)

    def _head(self) -> list[Segment]:
        segments = []
        for name, width in self._columns():
            sign = ("▼" if self.descending else "▲") if name == self.sorted_by else ""
            label = f"{name}{sign}"
            padded = f"{label:<{width}}" if name in _TEXTS else f"{label:>{width}}"
            segments.append(Segment(padded, self._part("sorted" if sign else "head")))
        return segments

    def _row(self, place: int) -> list[Segment]:
        segments = []
        for name, width in self._columns():
            if name == "prompt":
                segments += self._text(place, width)
            elif name == "answer":
                record = self.state.measured.records[place]
                sign, look = {True: ("✓ ", "right"), False: ("✗ ", "wrong"), None: ("  ", "dim")}[
                    self.state.measured.verdict_on(record)
                ]
                text = fitted(self._said(name, place), width - 3).plain
                segments += [Segment(sign, self._part(look)), Segment(f"{text} ")]
            elif name in _TEXTS:
                text = fitted(self._said(name, place), width - 1).plain
                segments.append(Segment(f"{text} ", self._part("dim")))
            else:
                segments.append(Segment(f"{self._number(name, place, width - 1):>{width}}"))
        return segments

    def _text(self, place: int, width: int) -> list[Segment]:
        """Return a prompt cut around its subject, which is marked."""
        record = self.state.measured.records[place]
        parts = around(record.text, *subject_place(record), width - 1)
        looks = (self._part(name) for name in ("line", "subject", "line"))
        rest = " " * (width - sum(map(cell_len, parts)))
        return [*map(Segment, parts, looks), Segment(rest)]

    def _said(self, name: str, place: int) -> str:
        """Return the text of a column."""
        record = self.state.measured.records[place]
        if name == "answer":
            said = record.prediction if record.answer is None else record.answer
            return said.strip() or "(blank)"
        if name == "expected":
            return ", ".join(record.answers)
        if name == "kind":
            return self.state.measured.labels.categories[place] or ""
        return record.relation or ""

    def _number(self, name: str, place: int, columns: int) -> str:
        record, signed = self.state.measured.records[place], False
        if name == "p":
            value = record.probability
        elif name == "reliance":
            value = record.reliance
        else:
            value, signed = float(self._cells()[place]), self.state.described.signed
        return "n/a" if math.isnan(value) else number(value, columns, signed=signed)

    def _part(self, name: str) -> Style:
        return part(self, f"prompts--{name}")

    # Keys and mouse.

    def action_step(self, by: int) -> None:
        at = min(max(self.at + by, 0), max(len(self._lines) - 1, 0))
        if at != self.at:
            self.at = at
            self._scroll_into_view()
            self.refresh()

    def action_page(self, pages: int) -> None:
        """Move the highlight by what fits on the screen."""
        self.action_step(pages * max(self.size.height - 1, 1))

    def action_choose(self) -> None:
        if self.highlighted is not None:
            self.post_message(self.Chosen(self.highlighted))

    def on_click(self, event: events.Click) -> None:
        """Highlight a prompt, on a second click choose it; sort by a heading."""
        if event.y == 0:
            right = 0
            for name, width in self._columns():
                right += width
                if event.x < right:
                    self.sort_by(name)
                    return
        place = event.y - 1 + self.scroll_offset.y
        if 0 <= place < len(self._lines):
            again = place == self.at
            self.at = place
            self.refresh()
            if again:
                self.action_choose()

    def on_focus(self) -> None:
        """Show the highlight as active."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the highlight as away."""
        self.refresh()

    def _scroll_into_view(self) -> None:
        lines = max(self.size.height - 1, 1)
        top = self.scroll_offset.y
        if self.at < top:
            self.scroll_to(y=self.at, animate=False)
        elif self.at >= top + lines:
            self.scroll_to(y=self.at - lines + 1, animate=False)


def _searched(record: Record) -> str:
    """Return what typing is compared with."""
    said = (record.prediction, record.answer or "", *record.answers)
    parts = (record.text, *said, record.relation or "", record.id)
    return clean(" ".join(parts)).casefold()
