"""The theme's colours as Rich styles, for what is drawn line by line."""

from rich.style import Style
from textual.widget import Widget


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
