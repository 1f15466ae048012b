"""All keys of the screen, on as many lines as they take; a click presses one."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget

from mlxjsd.tui.styles import part


class KeyBar(Widget):
    """A footer that wraps instead of clipping, because every key is to be seen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key", "keys--off"}
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: auto;
        padding: 0 1;
        background: $panel;
        color: $foreground;
        .keys--key { color: $text-accent; text-style: bold; }
        .keys--off { color: $text-disabled; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._shown: list[tuple[Binding, bool]] = []

    def on_mount(self) -> None:
        """Follow the keys that work at the moment."""
        self.screen.bindings_updated_signal.subscribe(self, self._keys_changed)

    def _keys_changed(self, screen: Screen[object]) -> None:
        shown: dict[str, tuple[Binding, bool]] = {}
        for active in screen.active_bindings.values():
            if active.binding.show:
                shown.setdefault(active.binding.action, (active.binding, active.enabled))
        found = list(shown.values())
        if found != self._shown:
            self._shown = found
            self.refresh(layout=True)

    def on_click(self, event: events.Click) -> None:
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)

    def render(self) -> RenderResult:
        """Return the keys; they wrap between, never within."""
        key_style = part(self, "keys--key")
        off = part(self, "keys--off")
        width = max(self.content_size.width or self.app.size.width - 2, 20)
        text, column = Text(no_wrap=True), 0
        for binding, enabled in self._shown:
            key = self.app.get_key_display(binding)
            item = Text.assemble(
                (key, key_style if enabled else off),
                " ",
                (binding.description, "" if enabled else off),
            )
            item.stylize(Style.from_meta({"key": binding.key}))
            if column and column + item.cell_len > width:
                text.append("\n")
                column = 0
            text.append_text(item)
            text.append("  ")
            column += item.cell_len + 2
        return text
