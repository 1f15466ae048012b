"""The keys of the whole app: which there are, and which ones somebody has given others."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode


def bound(binding: Binding, keymap: Mapping[str, str]) -> Binding:
    """Return a binding with the keys that it has by now."""
    keys = keymap.get(binding.id or "")
    return binding if keys is None else binding.with_key(keys, None)


def said_key(app: App[Any], binding: Binding) -> str:
    """Return a binding's keys as they are written, all of them."""
    if binding.key_display is not None:
        return app.get_key_display(binding)
    return " ".join(_short(app, key) for key in binding.key.split(","))


def _short(app: App[Any], key: str) -> str:
    arrows = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
    key = key.strip()
    if key in arrows or key.startswith("ctrl+"):
        return arrows.get(key, key.replace("ctrl+", "^"))
    return key if len(key) > 1 and "_" not in key else app.get_key_display(Binding(key, ""))


def named(kinds: Iterable[type[DOMNode]]) -> Iterator[Binding]:
    """Return every binding with an id that screens and widgets declare."""
    for kind in kinds:
        for binding in kind.BINDINGS:
            if isinstance(binding, Binding) and binding.id:
                yield binding
