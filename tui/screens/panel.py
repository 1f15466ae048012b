"""What all dialogs look like: one panel in the middle, over the screen that asked for it."""

from textual.containers import VerticalScroll
from textual.screen import ModalScreen, ScreenResultType


class PanelScreen(ModalScreen[ScreenResultType]):
    """A dialog; its content stands in a :class:`Panel`."""

    DEFAULT_CSS = """
    PanelScreen { align: center middle; }
    """


class Panel(VerticalScroll, can_focus=False):
    """The frame of a dialog; ``-wide`` for tables, ``-bad`` for errors, ``-ask`` for questions."""

    DEFAULT_CSS = """
    Panel {
        width: 76;
        max-width: 96%;
        height: auto;
        max-height: 94%;
        padding: 1 2;
        background: $surface;
        border: round $accent;
        border-title-color: $text-accent;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        scrollbar-size-vertical: 1;
        &.-wide { width: 92; }
        &.-bad { border: round $error; border-title-color: $text-error; }
        &.-ask { border: round $warning; border-title-color: $text-warning; }
        Label { color: $text-muted; }
        .buttons { height: 1; margin-top: 1; }
        Button { margin-right: 2; }
    }
    """
