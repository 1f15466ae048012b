"""The start screen: go on with a run, or put a new one together."""

from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from mlxjsd.model.hub import KnownModel, download_size, known_models, to_download
from mlxjsd.store.folders import look
from mlxjsd.store.reader import read_run
from mlxjsd.tui.form import FormError
from mlxjsd.tui.protocol import Engine, Job, Look, Preview
from mlxjsd.tui.screens.start_help import about, can_go_on, download_note, footer
from mlxjsd.tui.screens.start_messages import (
    Looked,
    ModelsFound,
    RunRead,
    SentenceSplit,
    SizeKnown,
)
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.key_bar import KeyBar
from mlxjsd.tui.widgets.model_list import ModelList
from mlxjsd.tui.widgets.preview_panel import PreviewPanel
from mlxjsd.tui.widgets.run_form import RunForm
from mlxjsd.tui.widgets.run_list import RunList
from mlxjsd.tui.widgets.sentence_field import SentenceField

_ABOUT = "  where a language model keeps and moves what it knows, layer by layer"
#: Seconds without typing before the prompts are read anew.
_REST = 0.25
#: Recent runs that are offered, and prompts of one that is read for its picture.
_OFFERED, _PICTURED = 5, 20_000


class StartScreen(Screen[None]):
    """Takes one sentence, or puts a run together."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "start", "Start", id="start.start", key_display="^r", priority=True,
                tooltip="Measure with these settings"),
        Binding("ctrl+o", "app.open_run", "Open a run", id="start.open", key_display="^o",
                tooltip="Look at a run that is kept, finished or not"),
        Binding("tab", "app.focus_next", "Next field", id="start.next", key_display="tab",
                tooltip="Go to the next field"),
        Binding("escape", "back", "Back", id="start.back", tooltip="Back to the run"),
    ]  # fmt: skip
    #: Columns under which the form has no room beside the prompts.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-wide")]
    DEFAULT_CSS = """
    StartScreen {
        #title {
            height: 2;
            padding: 0 1;
            color: $text-muted;
            text-wrap: nowrap;
            text-overflow: ellipsis;
        }
        #columns { height: 1fr; }
        #left { width: 4fr; max-width: 84; }
        #runs {
            height: auto;
            max-height: 40%;
            border: round $primary 60%;
            border-title-color: $text-primary;
            border-title-style: bold;
            padding: 0 1;
            scrollbar-size-vertical: 1;
            &:focus-within { border: round $accent; }
            RunList { height: auto; }
        }
        PreviewPanel { width: 3fr; height: 1fr; }
        &.-narrow PreviewPanel { display: none; }
        #foot { height: 2; padding: 0 1; }
        #start { margin-right: 2; }
        #start:blur { background: $panel; color: $foreground; }
        #verdict {
            width: 1fr;
            height: 2;
            color: $text-muted;
            text-overflow: ellipsis;
        }
        #verdict.-bad { color: $text-error; }
        #about { height: 2; padding: 0 1; color: $text-muted; }
    }
    """

    def __init__(self, engine: Engine, job: Job | None = None, field: str | None = None) -> None:
        """Fill the form in as ``job`` was, or leave it empty.

        Args:
            engine: reads prompts, and sentences.
            job: that is asked for at first.
            field: of the form, which has the focus at first; None for what is most likely wanted.
        """
        super().__init__()
        self._field = field
        self.sentence = SentenceField()
        self._splitting: Timer | None = None
        self.engine = engine
        self._base = job or Job()
        self._found = look()
        self._recent = self._found.runs[:_OFFERED]
        self._resumable: dict[int, bool | None] = {}
        self._sizes: dict[str, int | None] = {}
        self.form = RunForm(self._base, self._found.warning)
        self._models: list[KnownModel] = []
        self._looking: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(Text.assemble(("mlxjsd", "bold"), _ABOUT), id="title", markup=False)
        yield self.sentence
        with Horizontal(id="columns"):
            with Vertical(id="left"):
                if self._recent:
                    with VerticalScroll(id="runs", can_focus=False) as runs:
                        runs.border_title = "Recent runs"
                        colours = self.app.config.map  # type: ignore[attr-defined]
                        yield RunList(self._recent, id="recent", colour_map=colours)
                yield self.form
                with Horizontal(id="foot"):
                    yield Button("Start", id="start", variant="primary", compact=True)
                    yield Static(id="verdict", markup=False)
            yield PreviewPanel()
        yield Static(id="about", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """Go on with what is unfinished, type a sentence, or start with what is filled in."""
        unfinished = [at for at, run in enumerate(self._recent) if not run.finished]
        if self._field is not None:
            self.query_one(f"#{self._field}").focus()
        elif self._base != Job():
            self.query_one("#start").focus()
        elif unfinished:
            runs = self.query_one("#recent", RunList)
            runs.highlighted = unfinished[0]
            runs.focus()
        else:
            self.sentence.field.focus()
        self._find_models()
        if self._recent:
            self._read_runs()
        self._check()
        self._look()

    @work(thread=True)
    def _find_models(self) -> None:
        # The form names a revision in a field of its own.
        found = [model for model in known_models() if model.revision is None]
        self.post_message(ModelsFound(found))

    def on_models_found(self, event: ModelsFound) -> None:
        self._models = event.models
        self.form.models.offer(event.models)
        self._check()

    @work(thread=True)
    def _read_runs(self) -> None:
        for at, run in enumerate(self._recent):
            if not self.is_attached:
                return
            heatmap, resumable = None, None
            try:
                resumable = run.finished or can_go_on(run)
                if 0 < run.done <= _PICTURED:
                    heatmap = read_run(run.folder).heatmap()
            except Exception:  # whatever is wrong with it is said when it is opened
                resumable = False if resumable is None else resumable
            self.post_message(RunRead(at, heatmap, resumable))

    def on_run_read(self, event: RunRead) -> None:
        self._resumable[event.at] = event.resumable
        if event.heatmap is not None:
            self.query_one("#recent", RunList).show_picture(event.at, event.heatmap)
        self._explain()

    # The form.

    def _check(self) -> Job | None:
        """Say what is wrong with the form, or where the run goes."""
        verdict, job, bad = self.query_one("#verdict", Static), None, ""
        try:
            job = self.form.job()
        except FormError as error:
            bad, said = error.name, str(error)
        else:
            there = next((r for r in self._found.runs if r.folder == job.folder), None)
            where = "into" if there is None else "is whole in" if there.finished else "goes on in"
            said = f"{where} {job.folder}"
            missing = to_download(job.model, job.revision)
            if note := download_note(job.model, missing, self._models, self._sizes):
                said = f"{note}; {said}"
        verdict.update(Text(clean(said)))
        verdict.tooltip = Text(clean(said))
        verdict.set_class(job is None, "-bad")
        self.form.mark(bad)
        self.query_one("#start", Button).disabled = job is None
        return job

    def on_run_form_changed(self) -> None:
        if self.is_mounted:
            self._check()
            if self._looking is not None:
                self._looking.stop()
            self._looking = self.set_timer(_REST, self._look)
            self.on_sentence_field_typed()  # it may be another model

    def on_input_submitted(self) -> None:
        """Enter in a field starts."""
        self.action_start()

    @on(Input.Blurred, "#model")
    def _model_named(self) -> None:
        try:
            job = self.form.job()
        except FormError:
            return
        if job.model is not None:
            self._ask_for_size(job.model, job.revision)

    @work(thread=True, exclusive=True, group="size")
    def _ask_for_size(self, name: str, revision: str | None) -> None:
        # Not while a name is typed: the Hub would hear every letter of it.
        said = to_download(name, revision)
        if said is not None and said not in self._sizes:
            self.post_message(SizeKnown(said, download_size(name, revision)))

    def on_size_known(self, event: SizeKnown) -> None:
        self._sizes[event.name] = event.size
        self._check()

    def on_option_list_option_selected(self, event: RunList.OptionSelected) -> None:
        if isinstance(event.option_list, ModelList):
            self.query_one("#model", Input).value = event.option_list.names[event.option_index]
            self._model_named()
        elif isinstance(event.option_list, RunList):
            event.stop()
            at = event.option_index
            run = event.option_list.runs[at]
            if run.finished or self._resumable.get(at) is False:
                self.app.show_run(run.folder)  # type: ignore[attr-defined]
            else:
                self.app.take_up(run.folder)  # type: ignore[attr-defined]

    def on_button_pressed(self) -> None:
        self.action_start()

    # The sentence.

    def on_sentence_field_typed(self) -> None:
        """Cut it into tokens, once it is not typed any more."""
        if self._splitting is not None:
            self._splitting.stop()
        self._splitting = self.set_timer(_REST, self._split) if self.sentence.text.strip() else None

    def _split(self) -> None:
        try:
            job = self.form.job()
        except FormError:
            return
        model = job.model or "the bundled model"
        self.engine.split(
            job, self.sentence.text, lambda split: self.post_message(SentenceSplit(split, model))
        )

    def on_sentence_split(self, event: SentenceSplit) -> None:
        self.sentence.show_split(event.split, event.model)

    def on_sentence_field_asked(self, event: SentenceField.Asked) -> None:
        job = self._check()
        if job is not None:
            self.app.ask(job, event.sentence)  # type: ignore[attr-defined]

    def on_sentence_field_refused(self, event: SentenceField.Refused) -> None:
        """Say why, or take back what was said."""
        self._check()
        if event.why:
            verdict = self.query_one("#verdict", Static)
            verdict.update(Text(clean(event.why)))
            verdict.add_class("-bad")

    # What the focus is on.

    def on_descendant_focus(self) -> None:
        self._explain()
        self.refresh_bindings()

    def on_option_list_option_highlighted(self) -> None:
        self._explain()

    def _explain(self) -> None:
        """Say what the field in focus is, and what Enter does."""
        focused, told = self.focused, None
        if isinstance(focused, RunList) and focused.highlighted is not None:
            at = focused.highlighted
            told = focused.runs[at], self._resumable.get(at)
        self.query_one("#about", Static).update(Text(about(focused, told)))

    def footer_keys(self) -> tuple[tuple[str, str], ...]:
        """Return the keys of the footer; see :class:`KeyBar`."""
        return footer(self.focused)

    # The preview.

    def _look(self) -> None:
        try:
            job = self.form.job()
        except FormError as error:
            if error.name == "data":
                self._show_preview(Preview(0, error=str(error)))
            return
        look = Look(
            job.model,
            job.data,
            job.settings,
            job.limit,
            job.sample,
            format=job.format,
            fields=job.fields,
            revision=job.revision,
            trust_remote_code=job.trust_remote_code,
        )
        self.engine.look(look, lambda preview: self.post_message(Looked(preview)))

    def on_looked(self, event: Looked) -> None:
        self._show_preview(event.preview)

    def _show_preview(self, preview: Preview) -> None:
        self.query_one(PreviewPanel).show_preview(preview)

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is nothing behind the first screen."""
        return action != "back" or len(self.app.screen_stack) > 2

    def action_back(self) -> None:
        self.dismiss()

    def action_start(self) -> None:
        job = self._check()
        if job is not None:
            self.app.run_job(job)  # type: ignore[attr-defined]
