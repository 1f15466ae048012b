"""The models that can be measured at once."""

import json
from pathlib import Path

from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from mlxjsd.assets import MODEL
from mlxjsd.model.hub import KnownModel, count_layers
from mlxjsd.tui.text import clean, size_of


class ModelList(OptionList):
    """The bundled model first, then those with a short name, then the Hugging Face cache."""

    DEFAULT_CSS = """
    ModelList {
        border: none;
        padding: 0;
        margin-left: 10;
        height: auto;
        max-height: 5;
        background: transparent;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        scrollbar-size-vertical: 1;
        /* Only what has the focus looks selected. */
        &:blur > .option-list--option-highlighted {
            background: transparent;
            color: $foreground;
            text-style: none;
        }
    }
    """

    def __init__(self) -> None:
        super().__init__(Option(_line("bundled", *_bundled())), id="models",
                         markup=False, compact=True)  # fmt: skip
        self.models: list[KnownModel] = []
        self.names: list[str] = [""]
        """What the model field says for each line."""

    def offer(self, models: list[KnownModel]) -> None:
        self.models += models
        for model in models:
            self.names.append(model.name)
            self.add_option(Option(_line(model.name, model.size, model.layers, model.here)))


def _bundled() -> tuple[int, int | None]:
    """Return the bundled model's size and layers."""
    try:
        config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
        size = sum(path.stat().st_size for path in Path(MODEL).iterdir())
    except OSError:
        return 0, None
    return size, count_layers(config)


def _line(name: str, size: int, layers: int | None, here: bool = True) -> Text:
    text = Text(clean(name), no_wrap=True)
    text.append(f"  {size_of(size)}", "dim")
    if layers is not None:
        text.append(f", {layers} layers", "dim")
    if not here:
        text.append(", to be downloaded", "dim")
    return text
