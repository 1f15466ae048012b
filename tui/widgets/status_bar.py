"""Two lines on top: what is measured, and how far it has come."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from mlxjsd.tui.run_state import RunState, Status
from mlxjsd.tui.styles import Themed, part
from mlxjsd.tui.text import clean, clock, corruption_of, size_of

_SIGNS = {
    Status.READING: "◌",
    Status.LOADING: "◌",
    Status.RUNNING: "▶",
    Status.PAUSED: "‖",
    Status.STOPPING: "◼",
    Status.STOPPED: "◼",
    Status.FINISHED: "✓",
    Status.FAILED: "✗",
}


class StatusBar(Static, Themed):
    """Model, data and settings; progress, speed, time left, memory, noise floor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "status--name",
        "status--dim",
        "status--good",
        "status--bad",
        "status--done",
        "status--todo",
    }
    DEFAULT_CSS = """
    StatusBar {
        height: 2;
        padding: 0 1;
        .status--name { color: $text-primary; text-style: bold; }
        .status--dim { color: $text-muted; }
        .status--good { color: $text-success; text-style: bold; }
        .status--bad { color: $text-error; text-style: bold; }
        .status--done { color: $primary; }
        .status--todo { color: $foreground 20%; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__(id="status", markup=False)
        self.state = state

    def show_state(self) -> None:
        width = max(self.content_size.width, 1)
        text = self._about()
        text.truncate(width, overflow="ellipsis")
        text.append("\n")
        text.append_text(self._progress(width))
        self.update(text, layout=False)

    def on_resize(self) -> None:
        self.show_state()

    def show_theme(self) -> None:
        self.show_state()

    def _about(self) -> Text:
        state, dim = self.state, self._part("dim")
        text = Text(no_wrap=True)
        text.append("mlxjsd", self._part("name"))
        if not state.model:
            named = "one sentence" if state.sentence else clean(str(state.folder))
            text.append(f"  {named}", dim)
            return text
        text.append(f"  {clean(str(state.model['name']))}")
        text.append(f" · {state.layers} layers", dim)
        data = "one sentence" if state.sentence else clean(str(state.data["file"]))
        text.append(f"  {data}")
        settings = state.settings
        how = f"{corruption_of(settings)} · {settings.described}"
        text.append(f" · {how}", dim)
        if state.skipped:
            text.append(f" · {len(state.skipped)} skipped", dim)
        if state.failed:
            text.append(f" · {len(state.failed)} failed", self._part("bad"))
        if state.floor_warning:
            text.append(" · noise floor too high", self._part("bad"))
        return text

    def _progress(self, width: int) -> Text:
        state, dim = self.state, self._part("dim")
        text = Text(no_wrap=True)
        look = {Status.FINISHED: "good", Status.FAILED: "bad"}.get(state.status, "name")
        said = state.doing if state.status is Status.LOADING else state.status.value
        text.append(f"{_SIGNS[state.status]} {said}", self._part(look))
        after = Text(no_wrap=True)
        if state.total and not state.sentence:
            after.append(f" {state.tried}/{state.total}")
        facts = []
        pace, left = state.pace, state.pace.left(state.total - state.tried)
        if pace.rate:
            facts.append(f"{pace.rate:.1f}/s")
            if state.status.live and left is not None:
                facts.append(f"{clock(left)} left")
        if pace.peak_memory:
            facts.append(size_of(pace.peak_memory))
        if state.done:
            floor = state.measured.heatmap().floor
            facts.append(f"floor {floor:.0e}" if floor else "floor 0")
        for fact in facts:
            after.append(f" · {fact}", dim)
        space = width - text.cell_len - 1 - after.cell_len
        if state.total and space >= 4 and not state.sentence:
            share = state.tried / state.total
            filled = round(share * space)
            text.append(" ")
            text.append("━" * filled, self._part("done"))
            text.append("─" * (space - filled), self._part("todo"))
        text.append_text(after)
        text.truncate(width, overflow="ellipsis")
        return text

    def _part(self, name: str) -> Style:
        return part(self, f"status--{name}")
