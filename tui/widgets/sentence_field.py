"""The sentence that is typed on the start screen, and its tokens to mark its subject on."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from mlxjsd.errors import InputError
from mlxjsd.prompts.sentence import Sentence, sentence_at, without_marks
from mlxjsd.tui.marking import words
from mlxjsd.tui.protocol import Split
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.token_line import TokenLine


class SentenceField(Vertical):
    """A line to type on and, once there is something, a line of tokens below it."""

    KEYS_OF = "The sentence"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "mark", "Mark the subject", id="mark.begin", show=False, key_display="↓",
                tooltip="Mark the subject on the sentence's tokens"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    SentenceField {
        height: auto;
        border: round $primary 60%;
        border-title-color: $text-primary;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        padding: 0 1;
        &:focus-within { border: round $accent; }
        TokenLine { display: none; }
        &.-typed TokenLine { display: block; }
    }
    """

    class Typed(Message):
        """The sentence is another one."""

    class Asked(Message):
        """A sentence whose subject is marked is to be measured."""

        def __init__(self, sentence: Sentence) -> None:
            super().__init__()
            self.sentence = sentence

    class Refused(Message):
        """It cannot be measured as it is, or only seems so no more ("")."""

        def __init__(self, why: str) -> None:
            super().__init__()
            self.why = why

    def __init__(self) -> None:
        super().__init__(id="one")
        self.border_title = "One sentence, right now"
        self.field = Input(
            id="sentence",
            placeholder="The [Eiffel Tower] is located in the city of",
            compact=True,
        )
        self.line = TokenLine()

    def compose(self) -> ComposeResult:
        yield self.field
        yield self.line

    @property
    def text(self) -> str:
        """The sentence without its marks; "" where they do not fit together."""
        try:
            return without_marks(self.field.value)[0]
        except InputError:
            return ""

    def show_split(self, split: Split, model: str) -> None:
        """Show the pieces of the sentence, if it is still the same one."""
        if split.text != self.text:
            return
        self.line.marking.take(split.text, split.places)
        self.line.show_state()
        found = f"words; no tokens, since {split.note}" if split.note else f"tokens of {model}"
        self.border_subtitle = clean(found)

    @on(Input.Changed, "#sentence")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        try:
            text, place = without_marks(event.value)
        except InputError:  # a bracket that is not closed yet; it is said when it is sent
            return
        marking = self.line.marking
        if text != marking.text or place is not None:
            marking.take(text, words(text), place)
            self.border_subtitle = "words; the tokenizer is read …" if text.strip() else ""
        self.set_class(bool(marking.places), "-typed")
        self.line.show_state()
        self.post_message(self.Refused(""))
        self.post_message(self.Typed())

    @on(Input.Submitted, "#sentence")
    def _sent(self, event: Input.Submitted) -> None:
        """Measure a sentence in brackets; otherwise its subject is to be marked first."""
        if not event.value.strip():
            return  # as Enter in any field
        event.stop()
        try:
            text, place = without_marks(event.value)
            if place is not None:
                self.post_message(self.Asked(sentence_at(text, *place)))
                return
        except InputError as error:
            self.post_message(self.Refused(str(error)))
            return
        self.action_mark()

    def action_mark(self) -> None:
        """Go to the tokens, where there are some."""
        if self.line.marking.places:
            self.line.focus()

    @on(TokenLine.Measure)
    def _measure(self, event: TokenLine.Measure) -> None:
        event.stop()
        marking, span = self.line.marking, self.line.marking.span
        if span is None:
            return
        if not marking.chosen:  # Enter twice, on a sentence in which nobody marked anything
            marking.move(0)  # it counts as marked from now on
            said = clean(marking.text[slice(*span)].strip())
            # The line below says how another one is marked.
            self.post_message(self.Refused(f"Is '{said}' the subject? Enter measures it."))
            return
        try:
            self.post_message(self.Asked(sentence_at(marking.text, *span)))
        except InputError as error:
            self.post_message(self.Refused(str(error)))

    @on(TokenLine.Marked)
    def _marked(self, event: TokenLine.Marked) -> None:
        event.stop()
        self.post_message(self.Refused(""))

    @on(TokenLine.Leave)
    def _leave(self, event: TokenLine.Leave) -> None:
        event.stop()
        self.field.focus()
