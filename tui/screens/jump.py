"""To any panel by one key: a letter stands on each, and pressing it goes there."""

from string import ascii_lowercase
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Label

_LABELS = "123456789" + ascii_lowercase


class JumpScreen(ModalScreen[Widget | None]):
    """Lies over a screen, and ends with the widget that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+g", "dismiss", "Stay", id="jump.stay", tooltip="Stay where you are"),
    ]
    DEFAULT_CSS = """
    JumpScreen {
        background: $background 35%;
        layout: vertical;
        .place {
            position: absolute;
            width: auto;
            height: 1;
            padding: 0 1;
            background: $accent;
            color: $background;
            text-style: bold;
        }
    }
    """

    def __init__(self, about: Screen[object]) -> None:
        super().__init__()
        self._places = dict(zip(_LABELS, _visible(about), strict=False))

    def compose(self) -> ComposeResult:
        for key, widget in self._places.items():
            label = Label(key, classes="place", markup=False)
            at = widget.region.offset
            label.styles.offset = Offset(max(at.x, 0), max(at.y, 0))
            yield label

    def on_key(self, event: events.Key) -> None:
        """Go to a panel; any other key changes nothing."""
        if (widget := self._places.get(event.key)) is not None:
            event.stop()
            self.dismiss(widget)

    def on_click(self) -> None:
        self.dismiss(None)


def _visible(about: Screen[object]) -> list[Widget]:
    """Return what can have the focus and is on the screen, from the top."""
    found = [w for w in about.focus_chain if w.region.overlaps(about.region)]
    return sorted(found, key=lambda widget: (widget.region.y, widget.region.x))
