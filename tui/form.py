"""The start screen's fields as text, and the job that they ask for.

A field is one entry of :data:`FIELDS`, named as its option of ``mlxjsd run``: the form shows it,
reads it, and fills it in from a job.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any, Literal

from mlxjsd.cli.names import Names
from mlxjsd.cli.options import break_lines
from mlxjsd.cli.run_options import help_of
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.errors import InputError
from mlxjsd.metrics import TARGETS
from mlxjsd.prompts.facts import names_facts
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.prompts.hub_data import names_hub
from mlxjsd.ranges import parse_layers, parse_windows, written_layers
from mlxjsd.row_names import DIRECTIONS
from mlxjsd.settings import MATCHES, Labelling, Settings
from mlxjsd.tui.protocol import Job

#: Whose attribute a field is: that of the job itself, its settings, or how its answers are judged.
_Owner = Literal["job", "settings", "labelling"]
_YES = ("no", "yes")


class FormError(ValueError):
    """A field that cannot be used; its text is for people."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(said)
        self.name = name


def _text(text: str) -> Any:
    return text


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _names(text: str) -> tuple[str, ...]:
    return tuple(Names.parse(text))


def _yes(text: str) -> bool:
    return text == "yes"


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"is a whole number, not {text!r}") from None
        if value < least:
            raise ValueError(f"is at least {least}, not {value}")
        return value

    return read


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"is a number, not {text!r}") from None


def _gigabytes(text: str) -> float:
    value = _number(text)
    if not 0 < value < inf:
        raise ValueError(f"is finite and more than 0 GB, not {value:g}")
    return value


def _data(text: str) -> Path:
    data = _path(text)
    if not (names_facts(data) or names_hub(data) or data.is_file() or data.is_dir()):
        raise FormError("data", f"there is no file {data}")
    return data


def _output(text: str) -> Path:
    output = _path(text)
    if output.exists() and not output.is_dir():
        raise FormError("output", f"{output} is a file; name a folder")
    return output


def _tokens(text: str) -> int | None:
    return None if text in ("0", "no", "none") else _whole(1)(text)


def _aliases(text: str) -> Any:
    from mlxjsd.analysis.aliases import read_aliases

    return read_aliases(text)


def _written(value: Any) -> str:
    """Return a value as it would be typed."""
    if isinstance(value, bool):
        return _YES[value]
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


@dataclass(frozen=True)
class FieldInfo:
    """One line of the form."""

    name: str
    """That of the option of ``mlxjsd run``, and of the attribute."""
    label: str
    """A word of at most nine letters."""
    hint: str
    """Shown in an empty field: what empty means."""
    owner: _Owner = "job"
    read: Callable[[str], Any] = _text
    """From what is typed to the value; raises ``ValueError`` or ``InputError``."""
    write: Callable[[Any], str] = _written
    """From a value that is not the default to what is typed."""
    choices: tuple[str, ...] = ()
    """What can be chosen, the default first; () for what is typed."""
    more: bool = False
    """Whether it is folded away until it is asked for."""
    of: str = ""
    """The field whose value it belongs to: with another model or other prompts it is empty."""
    completes: bool = False
    """Whether it is a path, which is completed while it is typed."""

    @property
    def help(self) -> str:
        """What the command line says of it."""
        return help_of(self.name)

    @property
    def default(self) -> Any:
        """What an empty field means."""
        return getattr(_defaults()[self.owner], self.name)


@lru_cache
def _defaults() -> dict[str, Any]:
    job = Job()
    return {"job": job, "settings": job.settings, "labelling": job.labelling}


def _choice(default: str, others: Mapping[str, object] | tuple[str, ...]) -> tuple[str, ...]:
    return (default, *(name for name in others if name != default))


_S, _L = Settings, Labelling
#: Every setting that a run has, in the order of the form.
FIELDS = (
    FieldInfo("model", "Model", "the bundled model", completes=True),
    FieldInfo("data", "Prompts", "the bundled prompts", read=_data, completes=True),
    FieldInfo("limit", "Limit", "all prompts", read=_whole(1)),
    FieldInfo("sample", "Sample", "none is drawn", read=_whole(1)),
    FieldInfo("corruption", "Corrupt", "", "settings",
              choices=_choice(_S.corruption, tuple(CORRUPTIONS))),
    FieldInfo("noise_level", "Noise", f"{_S.noise_level:g}", "settings", _number),
    FieldInfo("noise_samples", "Repeats", f"{_S.noise_samples}", "settings", _whole(1)),
    FieldInfo("window", "Window", f"{_S.window}", "settings", parse_windows),
    FieldInfo("output", "Folder", "named after the settings", read=_output, completes=True),
    FieldInfo("rows", "Rows", ",".join(_S.rows), "settings", Names.rows, more=True),
    FieldInfo("part_window", "Parts", f"{_S.part_window}", "settings", _whole(1), more=True),
    FieldInfo("direction", "Direction", "", "settings", choices=DIRECTIONS, more=True),
    FieldInfo("target", "Target", "", "settings", choices=TARGETS, more=True),
    FieldInfo("maps", "Maps", "none", "settings", _names, more=True),
    FieldInfo("metrics", "Metrics", ",".join(_S.metrics), "settings", _names, more=True),
    FieldInfo("layers", "Layers", "all", "settings", parse_layers, written_layers, more=True),
    FieldInfo("seed", "Seed", f"{_S.seed}", "settings", _whole(0), more=True),
    FieldInfo("swap_any", "Swap any", "", "settings", _yes, choices=_YES, more=True),
    FieldInfo("prompt_template", "Template", "none", "settings", break_lines,
              lambda text: text.replace("\n", "\\n"), more=True),
    FieldInfo("chat", "Chat", "", "settings", _yes, choices=_YES, more=True),
    FieldInfo("format", "Format", "", choices=_choice("recognised", tuple(FORMATS)), more=True,
              read=lambda text: None if text == "recognised" else text, of="data"),
    FieldInfo("fields", "Fields", "as the format has it", more=True, of="data"),
    FieldInfo("max_tokens", "Answers", f"{_L.max_tokens} tokens; no for none", "labelling", _tokens,
              lambda value: "no" if value is None else str(value), more=True),
    FieldInfo("match", "Match", "", "labelling", choices=_choice(_L.match, MATCHES), more=True),
    FieldInfo("aliases", "Aliases", "none", "labelling", _aliases, lambda table: str(table.name),
              more=True, completes=True),
    FieldInfo("reliance_threshold", "Reliance", "mean of the right ones", "labelling", _number,
              more=True),
    FieldInfo("batch_size", "Batch", "chosen for you", read=_whole(1), more=True),
    FieldInfo("memory", "Memory", "what is recommended", read=_gigabytes, more=True),
    FieldInfo("bits", "Bits", "as the model is", read=_whole(1), more=True),
    FieldInfo("revision", "Revision", "the default one", more=True, of="model"),
    FieldInfo("adapter_path", "Adapter", "none", read=_path, more=True, of="model",
              completes=True),
    FieldInfo("trust_remote_code", "Its code", "", read=_yes, choices=_YES, more=True, of="model"),
)  # fmt: skip
_BY_NAME = {info.name: info for info in FIELDS}


def job_from(values: Mapping[str, str], base: Job | None = None) -> Job:
    """Return the job that the form asks for; empty fields mean the defaults.

    Args:
        values: the fields' texts, by name.
        base: what the form was filled in from; what has no field stays as it was there.

    Raises:
        FormError: for the first field that cannot be used.
    """
    base = base or Job()
    texts = {name: value.strip() for name, value in values.items()}
    filled = values_of(base)
    changed = {name for name, text in texts.items() if text != filled[name]}
    if texts["output"] == "" and "output" not in changed:
        changed.add("output")  # other settings need another folder
    found: dict[str, dict[str, Any]] = {"job": {}, "settings": {}, "labelling": {}}
    for info in FIELDS:
        if info.of in changed and info.name not in changed:
            found[info.owner][info.name] = info.default  # it was that model's, or that file's
        elif info.name in changed:
            found[info.owner][info.name] = _value(info, texts[info.name])
    if "data" not in changed:
        _value(_BY_NAME["data"], texts["data"])  # it may be gone by now
    if texts["memory"] and texts["batch_size"]:
        raise FormError("memory", "Memory decides the batch; give one of the two")
    return replace(
        base,
        **found["job"],
        settings=_with(base.settings, found["settings"]),
        labelling=_with(base.labelling, found["labelling"]),
        download=base.download or "model" in changed,
        expected=None,  # it is another run
    )


def _value(info: FieldInfo, text: str) -> Any:
    if not text:
        return info.default
    try:
        return info.read(text)
    except FormError:
        raise
    except InputError as error:
        raise FormError(info.name, str(error)) from None
    except ValueError as error:
        raise FormError(info.name, f"{info.label} {error}") from None


def _with(owner: Any, values: dict[str, Any]) -> Any:
    """Return ``owner`` with other values; the first one that it refuses is named."""
    try:
        return replace(owner, **values)
    except InputError as error:
        for name in values:  # the one without which the others do
            rest = {key: value for key, value in values.items() if key != name}
            try:
                replace(owner, **rest)
            except InputError:
                continue
            raise FormError(name, str(error)) from None
        raise FormError(next(iter(values)), str(error)) from None


def values_of(job: Job) -> dict[str, str]:
    """Return the fields as they would ask for ``job``; defaults are left empty."""
    owners = {"job": job, "settings": job.settings, "labelling": job.labelling}
    texts = {}
    for info in FIELDS:
        value = getattr(owners[info.owner], info.name)
        if info.name == "output" or value == info.default:
            texts[info.name] = info.choices[0] if info.choices else ""
        else:
            texts[info.name] = info.write(value)
    return texts
