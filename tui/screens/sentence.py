"""One sentence, measured right now: its heatmap, its maps, what comes next. Nothing is kept."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from mlxjsd.tui.protocol import Answered, Engine, Failed, Job, Loading, News, Sentence
from mlxjsd.tui.run_state import RunState, Status
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.heat_view import HeatView
from mlxjsd.tui.screens.run_keys import next_map, works
from mlxjsd.tui.widgets.asked_panel import AskedPanel
from mlxjsd.tui.widgets.key_bar import KeyBar


class SentenceScreen(HeatView):
    """Lies over the start screen, where the sentence still stands."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "next_map", "Map", id="sentence.map",
                tooltip="Show each token by layer, map after map, or the rows again"),
        Binding("g", "toggle_lines", "Lines", id="sentence.lines",
                tooltip="Show the numbers as coloured cells or as lines"),
        Binding("m", "next_metric", "Metric", id="sentence.metric",
                tooltip="Show the next metric that was measured"),
        Binding("s", "next_scale", "Scale", id="sentence.scale",
                tooltip="Colour scale: automatic, all that is possible, or as published"),
        Binding("c", "next_colours", "Colours", id="sentence.colours",
                tooltip="Take the next colour map"),
        Binding("e", "export", "Keep", id="sentence.export",
                tooltip="Write the figure, or all that was measured of the sentence"),
        Binding("y", "copy_value", "Copy", id="sentence.copy",
                tooltip="Copy the value under the cursor, its row, or the figure"),
        Binding("n", "more_prompts", "More prompts like this", id="sentence.more",
                tooltip="Measure a file of prompts with this model and these settings"),
        Binding("escape", "back", "Another sentence", id="sentence.back",
                tooltip="Back to the start screen, to another sentence"),
    ]  # fmt: skip

    class Told(Message):
        """The engine's news; posted from its thread."""

        def __init__(self, news: News) -> None:
            super().__init__()
            self.news = news

    def __init__(self, engine: Engine, job: Job, sentence: Sentence) -> None:
        """Measure a sentence.

        Args:
            engine: computes.
            job: whose model and settings it is measured with.
            sentence: its text, and the place of its subject.
        """
        super().__init__(RunState.asking(job, sentence.text))
        self.engine, self.job, self.sentence = engine, job, sentence
        self.panel = AskedPanel(self.state)

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.failure
        yield self.heat
        with Horizontal(id="below"):
            yield self.detail
            yield self.panel
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin; what is told arrives later."""
        self.engine.ask(self.job, self.sentence, lambda news: self.post_message(self.Told(news)))

    def show_all(self) -> None:
        super().show_all()
        self.panel.show_state()

    def on_sentence_screen_told(self, message: Told) -> None:
        state, news = self.state, message.news
        if isinstance(news, Loading):
            state.doing = news.what
        elif isinstance(news, Answered):
            state.answer(news.asked)
        elif isinstance(news, Failed):
            state.status, state.failure = Status.FAILED, f"{news.reason}\n{news.remedy}"
            self.app.push_screen(TroubleScreen(news.reason, news.remedy))
        self.show_all()

    # Keys.

    def footer_keys(self) -> tuple[tuple[str, str], ...]:
        """Return the keys of the footer; see :class:`KeyBar`."""
        return (
            ("sentence.map", next_map(self.state)),
            ("sentence.lines", "Cells" if self.state.as_lines else "Lines"),
            ("sentence.more", "More prompts like this"),
            ("sentence.export", "Keep"),
            ("sentence.back", "Another"),
            ("sentence.metric", "Metric"),
            ("sentence.copy", "Copy"),
            ("app.help", "Help"),
            ("app.quit", "Quit"),
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return works(action, parameters, self.state, self.job)

    def action_why(self) -> None:
        """Show again what went wrong; the line that says so asks for it."""
        reason, _, remedy = self.state.failure.partition("\n")
        self.app.push_screen(TroubleScreen(reason, remedy))

    def action_back(self) -> None:
        self.dismiss()

    def action_more_prompts(self) -> None:
        """Fill the form in as this was measured; the prompts are still to be named."""
        self.app.more_prompts(self.job, self.state.asked)  # type: ignore[attr-defined]
