"""What was found out about one sentence, beside its heatmap: next tokens, and the reading."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text

from mlxjsd.asked import NextTokens
from mlxjsd.output.asked_text import RUN_NAMES, numbers_of
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.styles import Themed, part
from mlxjsd.tui.text import clean, fitted
from mlxjsd.tui.widgets.scrolling_text import ScrollingText

#: Columns of a run's likeliest tokens: at least, and at the most.
_LEAST, _MOST = 12, 24
_SHARE = 6


class AskedPanel(ScrollingText, Themed):
    """The likeliest next tokens of each run, and what the numbers say in words."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "asked--head",
        "asked--dim",
        "asked--predicted",
    }
    DEFAULT_CSS = """
    AskedPanel {
        width: 3fr;
        height: 1fr;
        border: round $primary 60%;
        border-title-color: $text-primary;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        padding: 0 1;
        &:focus { border: round $accent; }
        .asked--head { color: $text-muted; text-style: bold; }
        .asked--dim { color: $text-muted; }
        .asked--predicted { color: $text-accent; text-style: bold; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__(id="asked")
        self.border_title = "Next token, and what the numbers say"
        self.state = state

    def show_state(self) -> None:
        asked, dim = self.state.asked, part(self, "asked--dim")
        if asked is None:
            self.update(Text(self.state.doing if self.state.status.live else "nothing yet", dim))
            return
        text = self._table(asked.next_tokens)
        text.append(f"\n{numbers_of(asked)}\n", dim)
        for said in asked.sentences():
            text.append(f"\n{clean(said)}")
        text.append(f"\n\ncorrupted by {clean(asked.corrupted_by)}", dim)
        self.update(text)

    def on_resize(self) -> None:
        """The columns follow the width."""
        self.show_state()

    def show_theme(self) -> None:
        self.show_state()

    def _table(self, runs: tuple[NextTokens, ...]) -> Text:
        """Return the likeliest tokens, a column for each run."""
        text, width = Text(), self.content_size.width
        columns = max(min(width // len(runs) - 1, _MOST), _LEAST)
        shown = runs[: max(width // (columns + 1), 1)]
        for run in shown:
            text.append_text(fitted(RUN_NAMES[run.run], columns + 1))
        text.stylize(part(self, "asked--head"))
        for at in range(len(runs[0].tokens)):
            text.append("\n")
            for run in shown:
                text.append_text(self._likely(run, at, columns, runs[0].ids[0]))
        text.append("\n")
        return text

    def _likely(self, run: NextTokens, at: int, columns: int, predicted: int) -> Text:
        look = part(self, "asked--predicted") if run.ids[at] == predicted else Style()
        token = clean(run.tokens[at]).strip() or repr(run.tokens[at])
        said = fitted(token, columns - _SHARE - 1)
        said.append(f"{run.probabilities[at]:>{_SHARE}.1%}  ")
        said.stylize(look)
        return said
