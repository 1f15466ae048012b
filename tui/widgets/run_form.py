"""The form of a new run: one line for each setting, the rarer ones folded away."""

from collections.abc import Callable, Iterable

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Collapsible, Input, Label

from mlxjsd.prompts.facts import NAME as FACTS
from mlxjsd.tui.form import FIELDS, FieldInfo, job_from, values_of
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.form_line import FormLine
from mlxjsd.tui.widgets.model_list import ModelList


class RunForm(VerticalScroll, can_focus=False):
    """Shows :data:`FIELDS`, filled in as a job was."""

    DEFAULT_CSS = """
    RunForm {
        height: 1fr;
        border: round $primary 60%;
        border-title-color: $text-primary;
        border-title-style: bold;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        &:focus-within { border: round $accent; }
        Collapsible {
            background: transparent;
            border: none;
            padding: 0;
            CollapsibleTitle { padding: 0; }
            Contents { padding: 0; }
        }
    }
    """

    class Changed(Message):
        """A field says something else."""

    def __init__(self, base: Job, warning: str = "") -> None:
        """Fill the form in.

        Args:
            base: the job that it was filled in from; what has no field stays as it was there.
            warning: shown above the fields.
        """
        super().__init__(id="form")
        self.border_title = "A new run"
        self.models = ModelList()
        self._base, self._warning = base, warning
        self._values = values_of(base)
        self._lines: dict[str, FormLine] = {}

    def compose(self) -> ComposeResult:
        if self._warning:
            yield Label(clean(self._warning), id="unreadable", markup=False)
        for info in FIELDS:
            if not info.more:
                yield self._line(info)
            if info.name == "model":
                yield self.models
        changed = any(self._is_changed(info) for info in FIELDS if info.more)
        with Collapsible(title="More", collapsed=not changed, id="more"):
            for info in FIELDS:
                if info.more:
                    yield self._line(info)

    def _line(self, info: FieldInfo) -> FormLine:
        known: dict[str, Callable[[], Iterable[str]]] = {
            "model": lambda: self.models.names[1:],
            "data": lambda: [FACTS],
        }
        line = FormLine(info, self._values[info.name], known.get(info.name, tuple))
        self._lines[info.name] = line
        return line

    def _is_changed(self, info: FieldInfo) -> bool:
        return self._values[info.name] != _empty(info)

    def job(self) -> Job:
        """Return the job that is asked for.

        Raises:
            FormError: for the first field that cannot be used.
        """
        return job_from({name: line.value for name, line in self._lines.items()}, self._base)

    def mark(self, bad: str) -> None:
        """Show which field cannot be used, also among those that are folded away; "" for none."""
        for name, line in self._lines.items():
            line.mark(name == bad)
        if bad and self._lines[bad].info.more:
            self.query_one("#more", Collapsible).collapsed = False

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value != self._values.get(str(event.input.id)):
            self._drop_what_belonged_to(str(event.input.id))
        self.post_message(self.Changed())

    def _drop_what_belonged_to(self, name: str) -> None:
        """Empty the fields that were filled in for another model, or for other prompts."""
        for info in FIELDS:
            line = self._lines[info.name]
            if info.of == name and self._is_changed(info) and line.value == self._values[info.name]:
                line.field.value = _empty(info)

    def on_select_changed(self) -> None:
        """A swap needs partners."""
        self.post_message(self.Changed())


def _empty(info: FieldInfo) -> str:
    return info.choices[0] if info.choices else ""
