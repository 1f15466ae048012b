"""What is known about the cell under the cursor, and about the selected prompt."""

import math
from typing import ClassVar

import numpy as np
from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from mlxjsd.analysis.answers import verdict_on
from mlxjsd.results import Record
from mlxjsd.rows import ROWS
from mlxjsd.tui.colours import LN2
from mlxjsd.tui.run_state import LABELS, RunState
from mlxjsd.tui.styles import part
from mlxjsd.tui.text import clean, fitted
from mlxjsd.tui.widgets.tokens import token_text

_EIGHTHS = " ▁▂▃▄▅▆▇█"
#: What an edit does, in the fewest words.
_EDITS = {
    "subj": "subject's state replaced after block {layer}",
    "attn": "attention to the subject cut around block {layer}",
    "last": "last token's state replaced after block {layer}",
}


class Detail(Static):
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
        padding: 0 1;
        .detail--value { color: $text-accent; text-style: bold; }
        .detail--dim { color: $text-muted; }
        .detail--bar { color: $primary; }
        .detail--mark { color: $text-warning; text-style: bold; }
        .detail--subject { color: $text-warning; text-style: bold; }
        .detail--edge { color: $foreground 30%; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__(id="detail", markup=False)
        self.state = state

    def show_state(self) -> None:
        """Write the panel anew."""
        state = self.state
        self.border_title = f"{LABELS[state.row]} · layer {state.layer}"
        text = self._prompt(state.selected) if state.selected else self._average()
        self.update(text, layout=False)  # the size stays: only this panel is painted

    def on_resize(self) -> None:
        """The histogram and the lists follow the size."""
        self.show_state()

    def _average(self) -> Text:
        state, heatmap = self.state, self.state.heatmap
        text = Text()
        if not heatmap.count:
            text.append("nothing has been measured yet\n", self._part("dim"))
            return self._with_edit(text)
        self._mean(text)
        values = state.cell()
        if np.isnan(values).all():
            return self._with_edit(text)
        lines = max(self.content_size.height, 4)
        tall = 2 if lines < 12 else 4 if lines < 20 else 6
        self._histogram(text, values, tall)
        count = max((lines - 2 - tall) // 2, 1)
        high, low = state.extremes(min(count, len(values)))
        self._list(text, "▲", high)
        self._list(text, "▼", low)
        text.rstrip()
        return text

    def _mean(self, text: Text) -> None:
        """Append the mean and how sure it is: its interval or, until that is known, its error."""
        state, heatmap, dim = self.state, self.state.heatmap, self._part("dim")
        mean, error = (a[state.row, state.layer] for a in (heatmap.mean, heatmap.error))
        roomy, interval = self.content_size.width >= 48, state.interval
        if math.isnan(mean):
            text.append("does not apply: no block attends here\n", dim)
            return
        text.append(f"{mean:.4f}", self._part("value"))
        if interval is None:
            if not math.isnan(error):
                text.append(f" ±{error:.4f}", dim)
            text.append(" nats")
            text.append(f" · n {heatmap.count}\n", dim)
            return
        low, high = interval.ends[:, state.row, state.layer]
        # While a run grows, the interval may be of a few prompts less than the mean.
        old = interval.total != state.done
        if roomy:
            text.append(" nats")
            text.append(f" · 95 % {low:.4f} to {high:.4f} · n {heatmap.count}", dim)
            text.append(f" (95 %: n {interval.count})\n" if old else "\n", dim)
        else:
            ends = f"{low:.3f}-{high:.3f}".replace("0.", ".")
            text.append(f" 95%{'~' if old else ' '}{ends} n {heatmap.count}\n", dim)

    def _prompt(self, record: Record) -> Text:
        state, roomy = self.state, self.content_size.height >= 12
        text = token_text(
            record.tokens,
            record.subject_span,
            self._part("subject"),
            Style(),
            self._part("edge"),
        )
        text.append("\n→ ", self._part("dim"))
        said = record.prediction if record.answer is None else record.answer
        text.append(clean(said).strip() or "(blank)", self._part("value"))
        text.append(f"  p {record.probability:.2f}", self._part("dim"))
        if record.answers:
            verdict = {True: "✓ ", False: "✗ ", None: ""}[verdict_on(record)]
            text.append(f"  {verdict}", self._part("dim"))
            text.append(clean(", ".join(record.answers[: 3 if roomy else 1])), self._part("dim"))
        text.append("\n\n" if roomy else "\n")
        value = state.value
        if math.isnan(value):
            text.append("does not apply: no block attends here\n", self._part("dim"))
        else:
            text.append(f"{value:.4f}", self._part("value"))
            text.append(" nats")
            values = state.cell()
            below = int((values < value).sum())
            text.append(f", above {below} of {len(values)}\n", self._part("dim"))
            self._histogram(text, values, 4 if roomy else 2, mark=value)
        floor = f"{record.floor:.0e}" if record.floor else "0"
        category = state.measured.category_of(record)
        kind = f" {category}" if category else ""
        reliance = "n/a" if math.isnan(record.reliance) else f"{record.reliance:.3f}"
        said = f"reliance {reliance}{kind}  floor {floor}"
        text.append(said, self._part("dim"))
        return text

    def _with_edit(self, text: Text) -> Text:
        edit = _EDITS[ROWS[self.state.row]].format(layer=self.state.layer)
        text.append(edit, self._part("dim"))
        return text

    def _histogram(
        self, text: Text, values: np.ndarray, tall: int, mark: float | None = None
    ) -> None:
        """Append the spread over prompts from 0 to ln 2, ``tall`` lines and one of numbers."""
        width = max(self.content_size.width, 12)
        counts, _ = np.histogram(np.clip(values, 0, LN2), bins=width, range=(0, LN2))
        eighths = np.ceil(counts / max(counts.max(), 1) * tall * 8).astype(int)
        marked = -1 if mark is None else min(int(mark / LN2 * width), width - 1)
        bar, bright = self._part("bar"), self._part("mark")
        for line in reversed(range(tall)):
            bars = "".join(_EIGHTHS[min(max(int(e) - 8 * line, 0), 8)] for e in eighths)
            if marked < 0:
                text.append(f"{bars}\n", bar)
                continue
            text.append(bars[:marked], bar)
            text.append(bars[marked].replace(" ", "╎"), bright)
            text.append(f"{bars[marked + 1 :]}\n", bar)
        middle = f"{LN2 / 2:.2f}"
        axis = f"{'0':<{width // 2 - 2}}{middle}"
        text.append(f"{axis}{f'{LN2:.2f}':>{width - len(axis)}}\n", self._part("dim"))

    def _list(self, text: Text, sign: str, prompts: list[tuple[float, Record]]) -> None:
        width = max(self.content_size.width - 8, 6)
        for value, record in prompts:
            text.append(f"{sign} ", self._part("dim"))
            text.append(f"{value:.3f} ".replace("0.", ".", 1).ljust(6), self._part("value"))
            text.append_text(fitted(record.text, width))
            text.append("\n")

    def _part(self, name: str) -> Style:
        return part(self, f"detail--{name}")
