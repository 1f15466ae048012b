"""A sentence in its tokens, on one line, on which the arrow keys mark the subject."""

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mlxjsd.tui.marking import Marking
from mlxjsd.tui.styles import part
from mlxjsd.tui.text import clean


class TokenLine(Widget, can_focus=True):
    """Shows a :class:`Marking`; what does not fit scrolls under the cursor."""

    KEYS_OF = "The sentence's tokens"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Token before", id="mark.left", show=False,
                tooltip="Mark the token before"),
        Binding("right", "move(1)", "Token after", id="mark.right", show=False,
                tooltip="Mark the token after"),
        Binding("shift+left", "move(-1,True)", "Mark less", id="mark.less", show=False,
                tooltip="Move the end of the mark to the left"),
        Binding("shift+right,space", "move(1,True)", "Mark more", id="mark.more",
                key_display="space", tooltip="Mark the token after as well, also shift+right"),
        Binding("home", "move(-1000000)", "First token", id="mark.first", show=False,
                tooltip="Mark the first token"),
        Binding("end", "move(1000000)", "Last token", id="mark.last", show=False,
                tooltip="Mark the last token"),
        Binding("enter", "measure", "Measure", id="mark.measure",
                tooltip="Measure the sentence with this subject"),
        Binding("up,escape", "leave", "Change the sentence", id="mark.leave", key_display="↑",
                tooltip="Back to the sentence, to change it"),
    ]  # fmt: skip
    COMPONENT_CLASSES: ClassVar[set[str]] = {"token--subject", "token--edge", "token--cursor"}
    DEFAULT_CSS = """
    TokenLine {
        height: 1;
        color: $text-muted;
        &:focus { color: $foreground; }
        .token--subject { color: $text-warning; text-style: bold; }
        .token--edge { color: $foreground 30%; }
        .token--cursor { background: $accent 40%; text-style: bold; }
    }
    """

    class Marked(Message):
        """Another subject is marked."""

    class Measure(Message):
        """The sentence is to be measured."""

    class Leave(Message):
        """The sentence is to be changed."""

    def __init__(self) -> None:
        super().__init__(id="tokens")
        self.marking = Marking()
        self._left = 0
        """Columns that are scrolled away."""

    def show_state(self) -> None:
        """Paint anew: other pieces, or another mark."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the line; a piece has the spaces in front of it as its own."""
        segments, before, cursor = self._segments()
        width = self.size.width
        strip = Strip(segments).apply_style(self.rich_style)
        # The cursor's piece in the middle, as far as there is text on both sides.
        most = max(strip.cell_length - width, 0)
        self._left = min(max(before + cursor // 2 - width // 2, 0), most)
        shown = strip.crop(self._left, self._left + width)
        return shown.adjust_cell_length(width, self.rich_style)

    def _segments(self) -> tuple[list[Segment], int, int]:
        """Return the line, the columns in front of the cursor's piece, and those of it."""
        marking = self.marking
        # What nobody has marked would look as if it were the subject.
        marked = marking.marked if self.has_focus or marking.chosen else ()
        edge = part(self, "token--edge")
        segments: list[Segment] = []
        before, cursor, told = 0, 0, 0
        for at, (start, end) in enumerate(marking.places):
            if at:
                segments.append(Segment("▏", edge))
            gap = clean(marking.text[told : max(start, told)])
            text = clean(marking.text[max(start, told) : end])
            told = max(told, end)
            segments.append(Segment(gap, Style()))
            style = part(self, "token--subject") if at in marked else Style()
            if at == marking.at:
                before, cursor = sum(cell_len(s.text) for s in segments), cell_len(text)
                if self.has_focus:
                    style += part(self, "token--cursor")
            segments.append(Segment(text, style))
        return segments, before, cursor

    # Keys and mouse.

    def action_move(self, by: int, extend: bool = False) -> None:
        self.marking.move(by, extend)
        self.refresh()
        self.post_message(self.Marked())

    def action_measure(self) -> None:
        self.post_message(self.Measure())

    def action_leave(self) -> None:
        self.post_message(self.Leave())

    def on_focus(self) -> None:
        """Show the cursor."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Mark the piece under the mouse; with shift, up to it."""
        right = told = 0
        for at, (_, end) in enumerate(self.marking.places):
            right += cell_len(clean(self.marking.text[told:end])) + 1
            told = max(told, end)
            if event.x + self._left < right:
                self.marking.move(at - self.marking.at, event.shift)
                self.refresh()
                self.post_message(self.Marked())
                return
