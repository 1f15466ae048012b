"""What is known about the cell under the cursor, and about the selected prompt."""

import math
from typing import ClassVar

import numpy as np
from rich.style import Style
from rich.text import Text

from mlxjsd.records import Record
from mlxjsd.roles import ROLES
from mlxjsd.row_names import find
from mlxjsd.rows import FLOOR, RELIANCE
from mlxjsd.tui.map_sheet import MapSheet, said_of
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.scales import span
from mlxjsd.tui.shortening import around, subject_place
from mlxjsd.tui.styles import Themed, part
from mlxjsd.tui.text import bare, clean, number, row_label
from mlxjsd.tui.widgets.prompt_facts import facts_of, in_lines
from mlxjsd.tui.widgets.scrolling_text import ScrollingText
from mlxjsd.tui.widgets.tokens import token_text

_EIGHTHS = " ▁▂▃▄▅▆▇█"


class Detail(ScrollingText, Themed):
    """The numbers behind one cell."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "detail--value",
        "detail--dim",
        "detail--bar",
        "detail--mark",
        "detail--subject",
        "detail--edge",
    }
    DEFAULT_CSS = """
    Detail {
        height: 1fr;
        border: round $primary 60%;
        border-title-color: $text-primary;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        padding: 0 1;
        &:focus { border: round $accent; }
        .detail--value { color: $text-accent; text-style: bold; }
        .detail--dim { color: $text-muted; }
        .detail--bar { color: $primary; }
        .detail--mark { color: $text-warning; text-style: bold; }
        .detail--subject { color: $text-warning; text-style: bold; }
        .detail--edge { color: $foreground 30%; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__(id="detail")
        self.state = state

    def show_state(self) -> None:
        state = self.state
        sheet = state.sheet
        self.border_title = Text(f"{sheet.labels[sheet.row]} · layer {state.layer}")
        text = self._prompt(state.selected) if state.selected else self._average()
        self.update(text, layout=False)  # the size stays: only this panel is painted

    def on_resize(self) -> None:
        """The histogram and the lists follow the size."""
        self.show_state()

    def show_theme(self) -> None:
        self.show_state()

    def _average(self) -> Text:
        state, heatmap = self.state, self.state.sheet.heatmap
        text = Text()
        if not heatmap.count:
            text.append("nothing has been measured yet\n", self._part("dim"))
            return self._with_edit(text)
        self._mean(text)
        values = state.sheet.cell()
        if np.isnan(values).all():
            return self._with_edit(text)
        lines = max(self.content_size.height, 4)
        tall = 2 if lines < 12 else 4 if lines < 20 else 6
        self._histogram(text, values, tall)
        count = max((lines - 2 - tall) // 2, 1)
        # No prompt stands in both lists, however few there are.
        known = int(np.isfinite(values).sum())
        count = min(count, -(-known // 2))
        high, low = state.extremes(count)
        low = low[: known - count]
        self._list(text, "▲", high)
        self._list(text, "▼", low)
        text.rstrip()
        return text

    def _mean(self, text: Text) -> None:
        """Append the mean and how sure it is: its interval or, until that is known, its error."""
        state, dim = self.state, self._part("dim")
        heatmap, row = state.sheet.heatmap, state.sheet.row
        mean, error = (float(a[row, state.layer]) for a in (heatmap.mean, heatmap.error))
        roomy = self.content_size.width >= 48
        interval = state.interval if state.map is None else None
        if math.isnan(mean):
            self._without_number(text)
            return
        text.append(f"{mean:{self._sign}.4f}", self._part("value"))
        if interval is None:
            if not math.isnan(error):
                text.append(f" ±{error:.4f}", dim)
            text.append(self._unit)
            text.append(f" · n {heatmap.cell_counts()[row, state.layer]}\n", dim)
            return
        low, high = interval.ends[:, state.row, state.layer]
        # While a run grows, the interval may be of a few prompts less than the mean.
        old = interval.total != state.done
        if roomy:
            ends = f"{low:{self._sign}.4f} to {high:{self._sign}.4f}"
            text.append(self._unit)
            text.append(f" · 95 % {ends} · n {heatmap.count}", dim)
            text.append(f" (95 %: n {interval.count})\n" if old else "\n", dim)
        else:
            # A dash in front of a minus sign could not be read.
            ends = f"{' to ' if self._sign else '-'}".join(
                bare(f"{end:{self._sign}.3f}") for end in (low, high)
            )
            text.append(f" 95%{'~' if old else ' '}{ends} n {heatmap.count}\n", dim)

    def _prompt(self, record: Record) -> Text:
        state, roomy = self.state, self.content_size.height >= 12
        text = token_text(
            record.tokens,
            record.subject_span,
            self._part("subject"),
            Style(),
            self._part("edge"),
            state.sheet.row if isinstance(state.sheet, MapSheet) else None,
            self.content_size.width or None,
        )
        text.append("\n→ ", self._part("dim"))
        said = record.prediction if record.answer is None else record.answer
        text.append(clean(said).strip() or "(blank)", self._part("value"))
        text.append(f"  p {record.probability:.2f}", self._part("dim"))
        if record.answers:
            verdict = {True: "✓ ", False: "✗ ", None: ""}[state.measured.verdict_on(record)]
            text.append(f"  {verdict}", self._part("dim"))
            text.append(clean(", ".join(record.answers[: 3 if roomy else 1])), self._part("dim"))
        text.append("\n\n" if roomy else "\n")
        value = state.sheet.value
        if math.isnan(value):
            self._without_number(text)
        else:
            text.append(f"{value:{self._sign}.4f}", self._part("value"))
            text.append(self._unit)
            values = state.sheet.cell()
            below, known = int((values < value).sum()), int(np.isfinite(values).sum())
            alone = known < 2
            said = "" if alone else f", above {below} of {known}{self._of_role()}"
            text.append(f"{said}\n", self._part("dim"))
            if alone:
                self._with_edit(text).append("\n")
            else:
                self._histogram(text, values, 4 if roomy else 2, mark=value)
        text.append(self._whole(record), self._part("dim"))
        partner = state.measured.named(str(record.source.get("id")))
        for fact in facts_of(record, partner):
            text.append(f"\n{fact}", self._part("dim"))
        return text

    def _whole(self, record: Record) -> str:
        """Say the divergences that have no layer, and the category that follows from one."""
        category, facts = self.state.measured.category_of(record), []
        for key in sorted(record.grid.whole, key=lambda key: key == FLOOR.key):  # noise last
            value = record.number(key)
            said = (
                "n/a" if math.isnan(value) else f"{value:.3f}" if value >= 1e-3 else f"{value:.0e}"
            )
            kind = f" {category}" if key == RELIANCE.key and category else ""
            facts.append(f"{row_label(key).lower()} {said if value else '0'}{kind}")
        return in_lines(facts, self.content_size.width)

    def _without_number(self, text: Text) -> None:
        if self.state.layer not in self.state.grid.measured_layers:
            text.append("this layer is not measured\n", self._part("dim"))
            return
        if isinstance(self.state.sheet, MapSheet):
            alone = self.state.selected is not None
            said = "does not apply here" if alone else "no prompt has a number here"
            text.append(f"{said}\n", self._part("dim"))
            return
        row = find(self.state.rows[self.state.row])
        why = " here"
        if row is not None and row.kind == "knockout":
            why = ": no block attends here"
        elif row is not None and row.part:
            why = f": no block here has a part that is {row.part}"
        text.append(f"does not apply{why}\n", self._part("dim"))

    def _of_role(self) -> str:
        """Say what the numbers of a map's token are among: others of its role."""
        sheet = self.state.sheet
        if not isinstance(sheet, MapSheet):
            return ""
        return f" · {ROLES[sheet.role].label.lower()}"

    def _with_edit(self, text: Text) -> Text:
        if isinstance(self.state.sheet, MapSheet):
            text.append(clean(said_of(self.state.sheet.name)), self._part("dim"))
            return text
        row = find(self.state.rows[self.state.row])
        if row is not None:
            text.append(row.edit.format(layer=self.state.layer), self._part("dim"))
        return text

    @property
    def _sign(self) -> str:
        """The sign's part of a number's format."""
        return "+" if self.state.described.signed else ""

    @property
    def _unit(self) -> str:
        unit = clean(self.state.described.unit)
        return f" {unit}" if unit else ""

    def _histogram(
        self, text: Text, values: np.ndarray, tall: int, mark: float | None = None
    ) -> None:
        """Append the spread over prompts, ``tall`` lines and one of numbers."""
        width, values = max(self.content_size.width, 12), values[np.isfinite(values)]
        scale = span(values, self.state.described)
        low, high = scale.low, scale.high
        counts, _ = np.histogram(np.clip(values, low, high), bins=width, range=(low, high))
        eighths = np.ceil(counts / max(counts.max(), 1) * tall * 8).astype(int)
        share = 0.0 if mark is None else (mark - low) / (high - low)
        marked = -1 if mark is None else min(int(share * width), width - 1)
        bar, bright = self._part("bar"), self._part("mark")
        for line in reversed(range(tall)):
            bars = "".join(_EIGHTHS[min(max(int(e) - 8 * line, 0), 8)] for e in eighths)
            if marked < 0:
                text.append(f"{bars}\n", bar)
                continue
            text.append(bars[:marked], bar)
            text.append(bars[marked].replace(" ", "╎"), bright)
            text.append(f"{bars[marked + 1 :]}\n", bar)
        ends = [f"{end:{self._sign}.2f}" if end else "0" for end in (low, (low + high) / 2, high)]
        axis = f"{ends[0]:<{width // 2 - 2}}{ends[1]}"
        text.append(f"{axis}{ends[2]:>{width - len(axis)}}\n", self._part("dim"))

    def _list(self, text: Text, sign: str, prompts: list[tuple[float, Record]]) -> None:
        width = max(self.content_size.width - 8, 6)
        for value, record in prompts:
            text.append(f"{sign} ", self._part("dim"))
            said = number(value, 5 if self._sign else 4, digits=3, signed=bool(self._sign))
            text.append(f"{said:<5} ", self._part("value"))
            text.append("".join(around(record.text, *subject_place(record), width)))
            text.append("\n")

    def _part(self, name: str) -> Style:
        return part(self, f"detail--{name}")
