"""A text that scrolls where it is longer than its panel."""

from rich.text import Text
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip


class ScrollingText(ScrollView, can_focus=True):
    """Shows a text; changing it paints this panel alone, and lays nothing out anew.

    Without a scroll bar, which would change the width that the text was written for: the frame
    says how much is below.
    """

    DEFAULT_CSS = """
    ScrollingText {
        overflow-x: hidden;
        scrollbar-size-vertical: 0;
    }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.content = Text()
        self._strips: list[Strip] = []

    def update(self, text: Text, layout: bool = False) -> None:
        """Show another text, from where the panel is scrolled to."""
        self.content = text
        self._wrap()

    def _wrap(self) -> None:
        width = self.content_size.width
        if width < 1:
            return
        lines = self.content.wrap(self.app.console, width)
        self._strips = [Strip(line.render(self.app.console, end="")) for line in lines]
        self.virtual_size = Size(0, len(self._strips))
        self._say_more()
        self.refresh()

    def _say_more(self) -> None:
        below = len(self._strips) - self.content_size.height - round(self.scroll_y)
        said = f"↓ {below} more" if below > 0 else ""
        if said != (self.border_subtitle or ""):
            self.border_subtitle = said

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._say_more()

    def on_resize(self) -> None:
        """Break the lines anew."""
        self._wrap()

    def render_line(self, y: int) -> Strip:
        """Return one line of what is scrolled to."""
        place, style = y + self.scroll_offset.y, self.rich_style
        strip = self._strips[place] if place < len(self._strips) else Strip.blank(0)
        return strip.apply_style(style).adjust_cell_length(self.content_size.width, style)
