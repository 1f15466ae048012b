"""What the start screen hears from other threads."""

from textual.message import Message

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.model.hub import KnownModel
from mlxjsd.tui.protocol import Preview, Split


class ModelsFound(Message):
    """The cache was searched."""

    def __init__(self, models: list[KnownModel]) -> None:
        super().__init__()
        self.models = models


class RunRead(Message):
    """A recent run was read."""

    def __init__(self, at: int, heatmap: Heatmap | None, resumable: bool | None) -> None:
        super().__init__()
        self.at, self.heatmap, self.resumable = at, heatmap, resumable


class SizeKnown(Message):
    """The Hub was asked for a model's size."""

    def __init__(self, name: str, size: int | None) -> None:
        super().__init__()
        self.name, self.size = name, size


class Looked(Message):
    """The prompts were read."""

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self.preview = preview


class SentenceSplit(Message):
    """A sentence was cut into tokens."""

    def __init__(self, split: Split, model: str) -> None:
        super().__init__()
        self.split, self.model = split, model
