"""The theme's colours as Rich styles, for what is drawn line by line, and when they change."""

from rich.style import Style
from textual.widget import Widget

from mlxjsd.tui.colours import TRUECOLOUR


def colours_of(widget: Widget) -> int:
    """Return how many colours there are: 0 where a number needs another sign than a colour."""
    return getattr(widget.app, "colours", TRUECOLOUR)


class Themed(Widget):
    """A widget that keeps styles in what it has drawn, and so draws anew with another theme."""

    def on_mount(self) -> None:
        """Follow the theme."""
        self.app.theme_changed_signal.subscribe(self, lambda theme: self.show_theme())

    def show_theme(self) -> None:
        """Draw anew, in the theme's colours."""
        raise NotImplementedError


def part(widget: Widget, name: str) -> Style:
    """Return how a component of a widget is written; a background only where it has one.

    Textual's own partial style drops transparency, so that muted text would be as bright as
    any other; here it is blended with what is behind the widget.
    """
    styles = widget.get_component_styles(name)
    _, background = widget.background_colors
    style = styles.text_style
    if styles.has_rule("color") or styles.auto_color:
        colour = styles.color
        if styles.auto_color:
            colour = background.get_contrast_text(colour.a)
        style += Style(color=(background + colour).rich_color)
    if styles.has_rule("background"):
        style += Style(bgcolor=(background + styles.background).rich_color)
    return style
