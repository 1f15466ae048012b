"""One line: how many prompts there are of each kind of answer, and which are shown."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import Static

from mlxjsd.analysis.answers import WRONG
from mlxjsd.tui.run_data import GROUPS
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.styles import Themed, part


class GroupBar(Static, Themed):
    """All, FA, AH, UH with their keys and counts; a click shows one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "groups--key",
        "groups--dim",
        "groups--shown",
        "groups--other",
    }
    DEFAULT_CSS = """
    GroupBar {
        height: 1;
        padding: 0 1;
        .groups--key { color: $text-accent; text-style: bold; }
        .groups--dim { color: $text-muted; }
        .groups--shown { color: $foreground; text-style: bold reverse; }
        .groups--other { color: $foreground; }
        &.-none { display: none; }
    }
    """

    class Picked(Message):
        """A group was clicked."""

        def __init__(self, group: str) -> None:
            super().__init__()
            self.group = group

    def __init__(self, state: RunState) -> None:
        super().__init__(id="groups", markup=False)
        self.state = state

    def show_state(self) -> None:
        """Write the line anew; without any answer that was judged there is none."""
        present = self.state.measured.labels.present()
        self.set_class(bool(self.state.done) and not present, "-none")
        self.update(self._line(), layout=False)

    def on_click(self, event: events.Click) -> None:
        if group := event.style.meta.get("group"):
            self.post_message(self.Picked(group))

    def _line(self) -> Text:
        state, dim = self.state, part(self, "groups--dim")
        measured, labels = state.measured, state.measured.labels
        text = Text(no_wrap=True)
        extra = (WRONG,) if labels.count(WRONG) else ()
        for group in GROUPS + extra:
            key = f"{GROUPS.index(group) + 1} " if group in GROUPS else ""
            count = measured.count(group)
            look = "shown" if group == state.group else "other" if count else "dim"
            item = Text.assemble(
                (key, part(self, "groups--key") if count else dim),
                (f"{group} {count}", part(self, f"groups--{look}")),
            )
            if count:
                item.stylize(Style.from_meta({"group": group}))
            text.append_text(item)
            text.append("  ")
        if unknown := labels.categories.count(None):
            text.append(f"unlabelled {unknown} ", dim)
        if labels.threshold is not None:
            text.append(f"· AH: reliance over {labels.threshold:.3f}", dim)
        elif extra:
            text.append("· none is right: no threshold", dim)
        text.truncate(max(self.content_size.width, 20), overflow="ellipsis")
        return text

    def on_resize(self) -> None:
        self.show_state()

    def show_theme(self) -> None:
        self.show_state()
