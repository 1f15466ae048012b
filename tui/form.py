"""The start screen's fields as text, and the job that they ask for."""

from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

from mlxjsd.cli.run_options import help_of
from mlxjsd.errors import InputError
from mlxjsd.prompts.facts import names_facts
from mlxjsd.prompts.hub_data import names_hub
from mlxjsd.settings import Settings
from mlxjsd.tui.protocol import Job


@dataclass(frozen=True)
class FieldInfo:
    """One line of the form."""

    name: str
    label: str
    hint: str
    """Shown in an empty field: what empty means."""
    help: str


FIELDS = (
    FieldInfo("model", "Model", "the bundled model", help_of("model")),
    FieldInfo("data", "Prompts", "the bundled prompts", help_of("data")),
    FieldInfo("limit", "Limit", "all prompts", help_of("limit")),
    FieldInfo("sample", "Sample", "none is drawn", help_of("sample")),
    FieldInfo("noise_level", "Noise", f"{Settings.noise_level:g}", help_of("noise_level")),
    FieldInfo("noise_samples", "Repeats", f"{Settings.noise_samples}", help_of("noise_samples")),
    FieldInfo("window", "Window", f"{Settings.window}", help_of("window")),
    FieldInfo("seed", "Seed", f"{Settings.seed}", help_of("seed")),
    FieldInfo("batch_size", "Batch", "chosen for you", help_of("batch_size")),
    FieldInfo(
        "memory", "Memory", "what is recommended", "GB that the run may take, weights included."
    ),
    FieldInfo("output", "Folder", "named after the settings", "Where the run is kept."),
)


class FormError(ValueError):
    """A field that cannot be used; its text is for people."""

    def __init__(self, name: str, said: str) -> None:
        super().__init__(said)
        self.name = name


def job_from(values: dict[str, str], corruption: str, base: Job | None = None) -> Job:
    """Return the job that the form asks for; empty fields mean the defaults.

    Args:
        values: the fields' texts.
        corruption: how subjects are corrupted.
        base: what the form was filled in from; what has no field stays as it was there.

    Raises:
        FormError: for the first field that cannot be used.
    """
    base = base or Job()
    texts = {name: value.strip() for name, value in values.items()}
    numbers = {
        name: _whole(name, texts[name], least)
        for name, least in (
            ("limit", 1), ("sample", 1), ("noise_samples", 1),
            ("window", 0), ("seed", 0), ("batch_size", 1),
        )
    }  # fmt: skip
    given: dict[str, Any] = {
        "noise_level": _number("noise_level", texts["noise_level"]),
        **{name: numbers[name] for name in ("noise_samples", "window", "seed")},
    }
    chosen = {n: getattr(Settings, n) if v is None else v for n, v in given.items()}
    memory = _number("memory", texts["memory"])
    if memory is not None and not 0 < memory < inf:
        raise FormError("memory", f"Memory is finite and more than 0 GB, not {memory:g}")
    if memory is not None and numbers["batch_size"] is not None:
        raise FormError("memory", "Memory decides the batch; give one of the two")
    try:
        settings = replace(base.settings, corruption=corruption, **chosen)
    except InputError as error:
        raise FormError("noise_level", str(error)) from None
    data = Path(texts["data"]).expanduser() if texts["data"] else None
    named = data is not None and (names_facts(data) or names_hub(data))
    if data is not None and not (named or data.is_file() or data.is_dir()):
        raise FormError("data", f"there is no file {data}")
    output = Path(texts["output"]).expanduser() if texts["output"] else None
    if output is not None and output.exists() and not output.is_dir():
        raise FormError("output", f"{output} is a file; name a folder")
    same_model = texts["model"] == (base.model or "")
    return replace(
        base,
        model=texts["model"] or None,
        data=data,
        output=output,
        limit=numbers["limit"],
        sample=numbers["sample"],
        settings=settings,
        batch_size=numbers["batch_size"],
        memory=memory,
        # They were that model's.
        revision=base.revision if same_model else None,
        adapter_path=base.adapter_path if same_model else None,
        trust_remote_code=base.trust_remote_code and same_model,
        download=base.download or not same_model,
        expected=None,  # it is another run
        # They were that file's.
        format=base.format if data == base.data else None,
        fields=base.fields if data == base.data else None,
    )


def values_of(job: Job) -> dict[str, str]:
    """Return the fields as they would ask for ``job``; defaults are left empty."""
    values = {
        "model": job.model,
        "data": job.data,
        "limit": job.limit,
        "sample": job.sample,
        "batch_size": job.batch_size,
        "memory": job.memory,
        "output": None,  # other settings need another folder
    }
    for name, value in job.settings.to_json().items():
        values[name] = None if value == getattr(Settings, name) else value
    return {
        info.name: "" if values[info.name] is None else str(values[info.name]) for info in FIELDS
    }


def _label(name: str) -> str:
    return next(info.label for info in FIELDS if info.name == name)


def _whole(name: str, text: str, least: int) -> int | None:
    if not text:
        return None
    try:
        value = int(text)
    except ValueError:
        raise FormError(name, f"{_label(name)} is a whole number, not {text!r}") from None
    if value < least:
        raise FormError(name, f"{_label(name)} is at least {least}, not {value}")
    return value


def _number(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise FormError(name, f"{_label(name)} is a number, not {text!r}") from None
