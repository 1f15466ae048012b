"""What a file of prompts holds, before a run."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from mlxjsd.tui.protocol import Preview
from mlxjsd.tui.styles import Themed, part
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.tokens import token_text


class PreviewPanel(VerticalScroll, Themed):
    """How many prompts, which are skipped and why, and the first ones by token."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "preview--count",
        "preview--dim",
        "preview--bad",
        "preview--subject",
        "preview--edge",
    }
    DEFAULT_CSS = """
    PreviewPanel {
        border: round $primary 60%;
        border-title-color: $text-primary;
        border-title-style: bold;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        &:focus { border: round $accent; }
        .preview--count { color: $text-accent; text-style: bold; }
        .preview--dim { color: $text-muted; }
        .preview--bad { color: $text-warning; }
        .preview--subject { color: $text-warning; text-style: bold; }
        .preview--edge { color: $foreground 30%; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="preview")
        self.border_title = "Prompts"
        self._preview: Preview | None = None

    def compose(self) -> ComposeResult:
        yield Static("reading …", id="preview-text", markup=False)

    def show_preview(self, preview: Preview) -> None:
        self._preview = preview
        self.query_one("#preview-text", Static).update(self._text(preview))

    def show_theme(self) -> None:
        if self._preview is not None:
            self.show_preview(self._preview)

    def _text(self, preview: Preview) -> Text:
        if preview.error is not None:
            return Text(clean(preview.error), self._part("bad"))
        text = Text()
        usable = preview.total - sum(preview.skipped.values())
        text.append(f"{usable}", self._part("count"))
        text.append(f" of {preview.total} prompts can be measured\n")
        if preview.drawn is not None:
            text.append(f"{preview.drawn} of them are drawn\n", self._part("count"))
        for reason, count in preview.skipped.items():
            text.append(f"{count} skipped: {clean(reason)}\n", self._part("bad"))
        if preview.note is not None:
            text.append(f"tokens are not known yet: {clean(preview.note)}\n", self._part("bad"))
        if preview.answers:
            text.append(f"{preview.answers}\n", self._part("dim"))
        text.append("the subject's tokens are marked\n", self._part("dim"))
        for shown in preview.prompts:
            parts = self._part("subject"), Style(), self._part("edge")
            text.append("\n")
            text.append_text(token_text(shown.tokens, shown.span, *parts))
            if shown.known:
                text.append(f"\n  = {shown.known}", self._part("dim"))
        return text

    def _part(self, name: str) -> Style:
        return part(self, f"preview--{name}")
