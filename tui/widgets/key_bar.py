"""The keys that matter most at the moment, on one line; a click presses one."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget

from mlxjsd.tui.styles import part

#: How many from the end stay whatever the width: help and the way out.
_KEPT = 2
#: More keys than these are not read.
_MOST = 10


class KeyBar(Widget):
    """A footer of one line, which follows the state.

    A screen says by ``footer_keys()`` which bindings stand there, as (id, label) in the order of
    their use; one without it shows all of its own. `?` shows the others.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key"}
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground;
        .keys--key { color: $text-accent; text-style: bold; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._shown: list[tuple[Binding, str]] = []

    def on_mount(self) -> None:
        """Follow the keys that work at the moment."""
        self.screen.bindings_updated_signal.subscribe(self, self._keys_changed)

    def _keys_changed(self, screen: Screen[object]) -> None:
        wanted = getattr(screen, "footer_keys", None)
        found: dict[str, Binding] = {}
        for active in screen.active_bindings.values():
            name = active.binding.id or active.binding.action
            if active.enabled and (wanted is not None or active.binding.show):
                found.setdefault(name, active.binding)
        if wanted is None:
            shown = [(binding, binding.description) for binding in found.values()]
        else:
            shown = [(found[id], label) for id, label in wanted() if id in found]
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Say what the key under the mouse does."""
        key = event.style.meta.get("key")
        found = (b.tooltip for b, _ in self._shown if b.key.split(",")[0] == key)
        self.tooltip = next(found, "") or None

    def render(self) -> RenderResult:
        """Return one line; what does not fit is left out from behind, but not the last two."""
        key_style = part(self, "keys--key")
        width = max(self.content_size.width or self.app.size.width - 2, 20)
        items = []
        for binding, label in self._shown:
            item = Text.assemble((self.app.get_key_display(binding), key_style), " ", label)
            item.stylize(Style.from_meta({"key": binding.key.split(",")[0]}))
            items.append(item)
        while len(items) > _KEPT and (
            len(items) > _MOST or sum(item.cell_len + 2 for item in items) - 2 > width
        ):
            del items[-_KEPT - 1]
        return Text("  ", no_wrap=True).join(items)
