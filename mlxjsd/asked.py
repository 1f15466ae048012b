"""What was measured of one sentence, as an object, free of MLX."""

from dataclasses import dataclass

from mlxjsd.above import Shown
from mlxjsd.analysis.calibration import Calibration
from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.one_prompt import prediction_sentence, reading_of_one
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.metrics import JSD
from mlxjsd.prompts.flags import said_of_one
from mlxjsd.records import Record
from mlxjsd.results import Run
from mlxjsd.rows import TOTAL

#: What is said of noise that was drawn once.
ONE_DRAW = "This is one draw of noise; another one, or the mean of several, may read otherwise."


@dataclass(frozen=True)
class NextTokens:
    """What one run of the sentence predicts."""

    run: str
    """``clean``, ``corrupted`` (the mean over the samples), or ``hidden``: no token after the
    subject attends to it, in any block."""
    tokens: tuple[str, ...]
    """Texts of the likeliest next tokens, from the likeliest on."""
    ids: tuple[int, ...]
    """Their ids."""
    probabilities: tuple[float, ...]
    """Their probabilities."""
    predicted: float
    """Probability here of the clean run's likeliest token."""


@dataclass(frozen=True, repr=False)
class Asked(Shown):
    """One sentence, measured::

    asked = mlxjsd.ask(model, "The [Eiffel Tower] is located in the city of")
    asked.heatmap().mean            # (rows, layers) JSD in nats
    asked.record.map("residual")    # (tokens, layers)
    asked.total_effect, asked.reliance
    asked.next_tokens[0].tokens     # the five likeliest
    asked.sentences()               # what they say
    """

    run: Run
    """A run of this one prompt, in no folder: settings, model, versions."""
    next_tokens: tuple[NextTokens, ...]
    """Of the clean run, the corrupted one and, where a block attends, with the subject hidden."""
    corrupted_by: str
    """How the subject is corrupted, as a sentence without its stop."""
    calibration: Calibration | None = None
    """Where its reliance lies among those of a run; None where none was given."""

    def __repr__(self) -> str:
        return f"<Asked {self.record.text!r} about {self.record.subject!r}>"

    @property
    def record(self) -> Record:
        """The measured prompt: tokens, subject span, cells, maps."""
        return self.run.records[0]

    @property
    def against(self) -> str | None:
        """The other sentence of a pair; None for noise."""
        text = self.record.source.get("text")
        return None if text is None else str(text)

    @property
    def total_effect(self) -> float:
        """JSD in nats between the clean run and the corrupted one."""
        return self.record.number(TOTAL.key)

    @property
    def reliance(self) -> float:
        """JSD in nats when nothing after the subject may attend to it; NaN where none attends."""
        return self.record.reliance

    @property
    def floor(self) -> float:
        """JSD in nats when nothing is edited."""
        return self.record.floor

    def heatmap(self, metric: str = JSD.key) -> Heatmap:
        """Return its rows over the layers.

        Raises:
            InputError: if this metric was not measured.
        """
        return self.run.heatmap(metric=metric)

    def reading(self) -> list[str]:
        """Say in a few sentences what was measured, and nothing that one prompt cannot tell."""
        return reading_of_one(self.record, self.heatmap())

    def prediction(self) -> str:
        """Say what becomes of the clean run's likeliest token."""
        return prediction_sentence(self.record, [each.predicted for each in self.next_tokens])

    def sentences(self) -> list[str]:
        """Return what becomes of the prediction, the reading, the calibration, and what is odd."""
        found = [self.prediction(), *self.reading()]
        if self.calibration is not None:
            found += self.calibration.sentences()
        settings = self.run.settings
        if CORRUPTIONS[settings.corruption].drawn and settings.samples == 1:
            found.append(ONE_DRAW)
        found += said_of_one(self.record.flags)
        return found + ([self.run.floor_warning] if self.run.floor_warning else [])
