"""The start screen: which model, which prompts, which settings."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Button, Input, Label, Select, Static

from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.model.hub import KnownModel, known_models
from mlxjsd.store.folders import KnownRun, look
from mlxjsd.tui.form import FIELDS, FormError, job_from, values_of
from mlxjsd.tui.protocol import Engine, Job, Look, Preview
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.form_line import FormLine
from mlxjsd.tui.widgets.key_bar import KeyBar
from mlxjsd.tui.widgets.model_list import ModelList
from mlxjsd.tui.widgets.preview_panel import PreviewPanel
from mlxjsd.tui.widgets.run_list import RunList

#: Seconds without typing before the prompts are read anew.
_REST = 0.25
#: Unfinished runs that are offered.
_OFFERED = 3


class StartScreen(Screen[None]):
    """Puts a job together."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "start", "Start", id="start.start", key_display="^r", priority=True,
                tooltip="Measure with these settings"),
        Binding("ctrl+o", "app.open_run", "Open a run", id="start.open", key_display="^o",
                tooltip="Look at a run that is kept, finished or not"),
        Binding("tab", "app.focus_next", "Next field", id="start.next", show=False,
                tooltip="Go to the next field"),
        Binding("escape", "back", "Back", id="start.back", tooltip="Back to the run"),
    ]  # fmt: skip
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
        #form {
            width: 1fr;
            max-width: 78;
            border: round $primary 60%;
            border-title-color: $text-primary;
            border-title-style: bold;
            padding: 0 1;
            scrollbar-size-vertical: 1;
            &:focus-within { border: round $accent; }
        }
        PreviewPanel { width: 1fr; height: 1fr; }
        .line { height: 1; }
        .line Label { width: 10; color: $text-muted; }
        .line Select { width: 1fr; }
        #resume { height: auto; margin-bottom: 1; }
        #resume Label { color: $text-warning; }
        #verdict { height: auto; min-height: 1; margin-top: 1; color: $text-muted; }
        #verdict.-bad { color: $text-error; }
    }
    """

    class ModelsFound(Message):
        """The cache was searched; posted from the thread that did it."""

        def __init__(self, models: list[KnownModel]) -> None:
            super().__init__()
            self.models = models

    class Looked(Message):
        """The prompts were read; posted from the engine's thread."""

        def __init__(self, preview: Preview) -> None:
            super().__init__()
            self.preview = preview

    def __init__(self, engine: Engine, job: Job | None = None) -> None:
        """Fill the form in as ``job`` was, or leave it empty."""
        super().__init__()
        self.engine = engine
        self._base = job or Job()
        self._values = values_of(self._base)
        self._corruption = self._base.settings.corruption
        self._unfinished: list[KnownRun] = []
        self._looking: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(
            Text.assemble(("mlxjsd", "bold"), "  see, layer by layer, where a language model keeps "
                          "and moves what it knows"),
            id="title", markup=False,
        )  # fmt: skip
        with Horizontal(id="columns"):
            with VerticalScroll(id="form", can_focus=False) as form:
                form.border_title = "A new run"
                found = look()
                self._unfinished = [r for r in found.runs if not r.finished][:_OFFERED]
                if self._unfinished:
                    with VerticalScroll(id="resume", can_focus=False):
                        yield Label("Unfinished; Enter goes on with it:", markup=False)
                        yield RunList(self._unfinished, id="unfinished")
                if found.warning:
                    yield Label(clean(found.warning), id="unreadable", markup=False)
                for info in FIELDS:
                    yield FormLine(info, self._values[info.name])
                    if info.name == "model":
                        yield ModelList()
                    elif info.name == "sample":
                        with Horizontal(classes="line"):
                            yield Label("Corrupt", markup=False)
                            yield Select(
                                [(name, name) for name in CORRUPTIONS],
                                id="corruption",
                                value=self._corruption,
                                allow_blank=False,
                                compact=True,
                                tooltip="\n".join(
                                    f"{key}: {known.help}" for key, known in CORRUPTIONS.items()
                                ),
                            )
                yield Static(id="verdict", markup=False)
                yield Button("Start", id="start", variant="primary", compact=True)
            yield PreviewPanel()
        yield KeyBar()

    def on_mount(self) -> None:
        """Enter starts at once with what is filled in."""
        self.query_one("#start").focus()
        self._find_models()
        self._check()
        self._look()

    @work(thread=True)
    def _find_models(self) -> None:
        # The form asks for no revision.
        found = [model for model in known_models() if model.revision is None]
        self.post_message(self.ModelsFound(found))

    def on_start_screen_models_found(self, event: ModelsFound) -> None:
        self.query_one(ModelList).offer(event.models)

    # The form.

    def _job(self) -> Job:
        values = {info.name: self.query_one(f"#{info.name}", Input).value for info in FIELDS}
        corruption = self.query_one("#corruption", Select).value
        return job_from(values, str(corruption), self._base)

    def _check(self) -> Job | None:
        """Say what is wrong with the form, or where the run goes."""
        verdict, job, bad = self.query_one("#verdict", Static), None, ""
        try:
            job = self._job()
        except FormError as error:
            bad, said = error.name, str(error)
        else:
            going_on = any(run.folder == job.folder for run in self._unfinished)
            said = f"{'goes on in' if going_on else 'into'} {job.folder}"
        verdict.update(Text(clean(said)))
        verdict.set_class(job is None, "-bad")
        for info in FIELDS:
            self.query_one(f"#{info.name}", Input).set_class(info.name == bad, "-bad")
        self.query_one("#start", Button).disabled = job is None
        return job

    def _changed(self) -> None:
        if self.is_mounted:
            self._check()
            if self._looking is not None:
                self._looking.stop()
            self._looking = self.set_timer(_REST, self._look)

    def on_input_changed(self) -> None:
        self._changed()

    def on_select_changed(self) -> None:
        """Check: a swap needs partners."""
        self._changed()

    def on_input_submitted(self) -> None:
        """Enter in a field starts."""
        self.action_start()

    def on_option_list_option_selected(self, event: RunList.OptionSelected) -> None:
        if isinstance(event.option_list, ModelList):
            self.query_one("#model", Input).value = event.option_list.names[event.option_index]
        elif isinstance(event.option_list, RunList):
            event.stop()
            self.app.take_up(event.option_list.runs[event.option_index].folder)  # type: ignore[attr-defined]

    def on_button_pressed(self) -> None:
        self.action_start()

    # The preview.

    def _look(self) -> None:
        try:
            job = self._job()
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
        self.engine.look(look, lambda preview: self.post_message(self.Looked(preview)))

    def on_start_screen_looked(self, event: Looked) -> None:
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
