"""What a run measures, as one immutable value that every part receives whole."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mlxjsd import maps as map_table
from mlxjsd import metrics as metric_table
from mlxjsd import rows as row_table
from mlxjsd.corruptions import CORRUPTIONS, NOISE, SWAP
from mlxjsd.errors import InputError
from mlxjsd.row_names import DIRECTIONS

#: How the blocks of a knockout's window are counted; see
#: :func:`mlxjsd.interventions.spec.knockout_blocks`.
WINDOW_RULE = 2
#: How a partner's subject is put in; see
#: :func:`mlxjsd.interventions.corruption.swap.choose_partners`.
SWAP_RULE = 2


@dataclass(frozen=True)
class Settings:
    """How prompts are put and corrupted, and which edits are made: what changes the numbers."""

    corruption: str = NOISE.key
    """How the subject is corrupted; one of :data:`mlxjsd.corruptions.CORRUPTIONS`."""
    noise_level: float = 3.0
    """Deviation of the noise, in standard deviations of the subject tokens' embeddings."""
    noise_samples: int = 1
    """Draws of noise for each prompt; a cell is the mean over them."""
    window: int | tuple[int, ...] = 5
    """Blocks in which attention is knocked out around a layer; 0 knocks out nothing. Several give
    a row for each."""
    part_window: int = 10
    """Blocks around a layer whose parts are exchanged; 10 as in Meng et al. 2022."""
    seed: int = 0
    """Of the noise, and of the choice of partners."""
    prompt_template: str | None = None
    """Words around every prompt, which stands at its ``{prompt}``; None for none."""
    chat: bool = False
    """Whether prompts are put as a user's turn, in the model's own chat template."""
    rows: tuple[str, ...] = row_table.DEFAULT
    """What is measured, from the top of the figure; keys of :data:`mlxjsd.rows.ROWS`."""
    metrics: tuple[str, ...] = metric_table.DEFAULT
    """The numbers of each cell; keys of :data:`mlxjsd.metrics.METRICS`. The divergence is always
    one of them, and the first where it is not named."""
    layers: tuple[int, ...] | None = None
    """The layers whose cells are measured, in ascending order; None for all."""
    maps: tuple[str, ...] = ()
    """Maps over all tokens; keys of :data:`mlxjsd.maps.MAPS`. None unless asked for: they cost some
    times as much as all rows."""
    direction: str = "noising"
    """Which way states are exchanged: corrupted ones are put into the clean run, clean ones into
    the corrupted run, or both; one of :data:`mlxjsd.row_names.DIRECTIONS`."""
    target: str = "prediction"
    """Whose probability and logit are measured; one of :data:`mlxjsd.metrics.TARGETS`."""
    swap_any: bool = False
    """Whether prompts without a relation are taken for one relation when subjects are swapped."""
    window_rule: int = WINDOW_RULE
    """How the blocks of the window are counted: 1 in runs of older versions, where an even
    window was one block too wide."""
    swap_rule: int = SWAP_RULE
    """How a partner's subject is put in: 1 in swaps of older versions, by its tokens, even where
    its text would have had others."""
    baselines: bool = True
    """Whether the corrupted run's own numbers are kept, which runs of older versions did not."""

    def __post_init__(self) -> None:
        if self.corruption not in CORRUPTIONS:
            raise InputError(
                f"corruption is {' or '.join(CORRUPTIONS)}, not {self.corruption!r}",
                hint="give one of them with --corruption",
            )
        if not 0 < self.noise_level < float("inf"):
            raise InputError(
                f"the noise level must be a positive number, not {self.noise_level}",
                hint="give one with --noise-level, such as 3",
            )
        if self.noise_samples < 1:
            raise InputError(
                f"at least one noise sample is needed, not {self.noise_samples}",
                hint="give 1 or more with --noise-samples",
            )
        self._check_windows()
        if self.part_window < 1:
            raise InputError(
                f"the window of parts is at least one block, not {self.part_window}",
                hint="give 1 or more with --part-window",
            )
        if self.prompt_template is not None:
            check_template(self.prompt_template)
        if self.layers is not None:
            _check_layers(self.layers)
        for kind, rule, newest in (
            ("window", self.window_rule, WINDOW_RULE),
            ("swap", self.swap_rule, SWAP_RULE),
        ):
            if rule not in (1, newest):
                raise InputError(
                    f"there is no {kind} rule {rule}",
                    hint="bring mlxjsd up to date, since a newer one wrote it",
                )
        _check_names("row", self.rows, row_table.ROWS.find)
        _check_known("--direction", self.direction, DIRECTIONS)
        _check_known("--target", self.target, metric_table.TARGETS)
        if not any(row_table.ROWS[key].by_layer for key in self.rows):
            raise InputError(
                f"{', '.join(self.rows)} has no cell for a layer, so there is no heatmap",
                hint=f"add one of {', '.join(row_table.DEFAULT)} to --rows",
            )
        if self.maps:
            _check_names("map", self.maps, map_table.MAPS.find)
        _check_names("metric", self.metrics, metric_table.METRICS.find)
        if metric_table.JSD.key not in self.metrics:
            object.__setattr__(self, "metrics", (metric_table.JSD.key, *self.metrics))
        self._check_direction()

    def _check_windows(self) -> None:
        windows = self.window if isinstance(self.window, tuple) else (self.window,)
        if len(windows) == 1:
            object.__setattr__(self, "window", windows[0])
        if not windows or len(set(windows)) < len(windows):
            raise InputError(
                f"each window is named once, and there is at least one, not {windows!r}",
                hint="correct --window",
            )
        if min(windows) < 0:
            raise InputError(
                f"the knockout window cannot be negative: {min(windows)}",
                hint="give 0 or more with --window",
            )

    def _check_direction(self) -> None:
        """Raise ``InputError`` for rows that were named and have not the direction."""
        if self.direction != "denoising" or self.rows in row_table.sets().values():
            return  # a set stands for those of its rows that apply
        rows = [row_table.ROWS[key] for key in self.rows]
        if without := [row.key for row in rows if row.by_layer and not row.denoises]:
            raise InputError(
                f"{', '.join(without)} has no denoising side: no state of another run is put in",
                hint="leave it out of --rows, or give --direction both",
            )

    @property
    def windows(self) -> tuple[int, ...]:
        """The windows of the knockouts, in blocks."""
        return self.window if isinstance(self.window, tuple) else (self.window,)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of blocks whose outputs are exchanged, each once."""
        asked = [row_table.ROWS[key].part for key in self.rows]
        asked += [map_table.MAPS[key].part for key in self.maps]
        return tuple(dict.fromkeys(part for part in asked if part))

    @property
    def described(self) -> str:
        """Say the windows and what is put around the prompts, as "window 5, chat"."""
        windows = ", ".join(map(str, self.windows))
        return f"window{'s' * (len(self.windows) > 1)} {windows}{self.framing}"

    @property
    def samples(self) -> int:
        """Corrupted runs for each prompt: one where nothing is drawn at random."""
        return self.noise_samples if CORRUPTIONS[self.corruption].drawn else 1

    def measured_layers(self, total: int) -> tuple[int, ...]:
        """Return the layers whose cells are measured, of a model of ``total`` blocks.

        Raises:
            InputError: if it has no such layer.
        """
        if self.layers is None:
            return tuple(range(total))
        if self.layers[-1] >= total:
            raise InputError(
                f"there is no layer {self.layers[-1]}: the model has the layers 0-{total - 1}",
                hint="correct --layers",
            )
        return self.layers

    @property
    def framing(self) -> str:
        """Say what is put around the prompts, as ", chat"; "" for nothing."""
        template = ", prompt template" if self.prompt_template is not None else ""
        return template + (", chat" if self.chat else "")

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        found = asdict(self)
        return {key: list(v) if isinstance(v, tuple) else v for key, v in found.items()}

    def changed(self) -> dict[str, Any]:
        """Return the settings that are not the usual ones, as JSON values."""
        usual = Settings().to_json()
        return {key: value for key, value in self.to_json().items() if value != usual[key]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Settings":
        """Build settings from :meth:`to_json`; unknown names are refused."""
        names = {field.name for field in fields(cls)}
        if unknown := set(values) - names:
            raise InputError(
                f"unknown settings: {', '.join(sorted(unknown))}",
                hint="bring mlxjsd up to date, since a newer one wrote them",
            )
        found: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        # Before there were two rules, there was the first; of odd windows they say the same.
        windows = found.get("window", cls.window)
        even = isinstance(windows, int) and windows % 2 == 0
        found.setdefault("window_rule", 1 if even else WINDOW_RULE)
        found.setdefault("baselines", False)
        swaps = found.get("corruption") == SWAP.key
        found.setdefault("swap_rule", 1 if swaps else SWAP_RULE)
        return cls(**found)


def _check_names(kind: str, names: tuple[str, ...], find: Callable[[str], object]) -> None:
    """Raise ``InputError`` for no name, one that is not known, or one that is there twice."""
    for name in names:
        find(name)
    if not names or len(set(names)) < len(names):
        said = ", ".join(names) or "none"
        raise InputError(
            f"every {kind} is named once, and there is at least one, not {said}",
            hint=f"correct --{kind}s",
        )


def _check_known(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(
            f"{option} is {' or '.join(known)}, not {value!r}",
            hint=f"give one of them with {option}",
        )


def _check_layers(layers: tuple[int, ...]) -> None:
    sound = bool(layers) and all(isinstance(n, int) and n >= 0 for n in layers)
    if not sound or list(layers) != sorted(set(layers)):
        raise InputError(
            f"layers are numbers from 0, each once and in order, not {layers!r}",
            hint="correct --layers",
        )


#: Where the prompt stands.
GAP = "{prompt}"


def check_template(template: str) -> None:
    """Raise ``InputError`` for a template that cannot be filled in."""
    if template.count(GAP) != 1:
        raise InputError(
            f"the prompt template must hold {GAP} once, as in 'Question: {GAP}\\nAnswer:', "
            f"not {template[:80]!r}",
            hint="put the gap where prompts stand",
        )
    try:
        template.encode()
    except UnicodeEncodeError:
        raise InputError("the prompt template is not UTF-8 text", hint="type it anew") from None


#: What counts as right; see :func:`mlxjsd.analysis.answers.is_correct`.
MATCHES = ("contains", "prefix", "first-token")
#: Version of the rules by which an answer is right; what was worked out by others is stale. 1 in
#: runs of older versions, which name none.
MATCHING_RULES = 2
#: What prompts can be grouped by.
GROUPINGS = ("category", "relation", "correct")


@dataclass(frozen=True)
class Aliases:
    """Sets of names, each for one thing: an accepted answer stands for all names of its set."""

    name: str
    """Of the table: that of its file, without the folder."""
    sha256: str
    """Of the whole file."""
    sets: tuple[tuple[str, ...], ...]
    """Those of the file or, in a run, those of its own accepted answers: so a run folder can be
    judged again wherever it lies."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Aliases":
        """Build aliases from their fields as JSON values."""
        return cls(values["name"], values["sha256"], tuple(map(tuple, values["sets"])))


@dataclass(frozen=True)
class Labelling:
    """How answers are generated and sorted."""

    max_tokens: int | None = 10
    """Most tokens of an answer; None generates none, and nothing is labelled."""
    match: str = "contains"
    """See :func:`mlxjsd.analysis.answers.is_correct`."""
    reliance_threshold: float | None = None
    """In nats; None for the mean over the FA prompts."""
    aliases: Aliases | None = None
    """What else an accepted answer is called; see :mod:`mlxjsd.analysis.aliases`."""

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InputError(
                f"an answer has at least one token, not {self.max_tokens}",
                hint="give 1 or more with --max-tokens, or --no-label",
            )
        threshold = self.reliance_threshold
        if threshold is not None and not 0 <= threshold < float("inf"):
            raise InputError(
                f"the reliance threshold is a number of nats from 0 up, not {threshold}",
                hint="give one with --reliance-threshold, or leave it out",
            )
        if self.match not in MATCHES:
            raise InputError(
                f"--match is {', '.join(MATCHES)}, not {self.match!r}", hint="give one of them"
            )

    @property
    def criteria(self) -> dict[str, Any]:
        """What decides a prompt's category, as JSON values."""
        criteria = {
            "match": self.match,
            "threshold": self.reliance_threshold,
            "rules": MATCHING_RULES,
        }
        return criteria | ({} if self.aliases is None else {"aliases": self.aliases.sha256})

    def to_json(self) -> dict[str, Any]:
        """Return the labelling as JSON values; without aliases, as before there were any."""
        values = asdict(self)
        if self.aliases is None:
            del values["aliases"]
        else:
            values["aliases"]["sets"] = [list(names) for names in self.aliases.sets]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Labelling":
        """Build a labelling from :meth:`to_json`."""
        aliases = values.get("aliases")
        return cls(**{**values, "aliases": aliases and Aliases.from_json(aliases)})
