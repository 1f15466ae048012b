"""What the header of a run file may say.

Checksums tell that a file is what was written. They do not tell that it was mlxjsd that wrote it,
so each value is looked at before anything relies on it: its type, its size, and whether there can
be such a number. :mod:`mlxjsd.store.checked` does the same for rows.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlxjsd.analysis.answers import CATEGORY_NAMES
from mlxjsd.analysis.judgements import Judgements
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.records import Grid, Record
from mlxjsd.results import Run, Skipped
from mlxjsd.rows import ALWAYS
from mlxjsd.settings import Labelling, Settings
from mlxjsd.store.damage import Damage
from mlxjsd.store.values import (
    LARGEST,
    Check,
    anything,
    boolean,
    integer,
    listed,
    mapped,
    named,
    optional,
    path,
    real,
    text,
    unique,
    with_keys,
)

#: The most layers of a model, and prompts of a run.
MOST_LAYERS, MOST_PROMPTS = 10_000, 100_000_000
#: By how much rounding may take a number out of its range, where no noise floor says more.
ROUNDING = 1e-4
_NATS = JSD.high


def _key(value: Any, name: str) -> str:
    """A name as registries have them, which is printed as it is."""
    if re.fullmatch(r"[\w.+:-]{1,100}", named(value, name)) is None:
        raise Damage(f"{name} is no name of a row, a metric or a model's type")
    return str(value)


_keys: Check[tuple[str, ...]] = listed(_key, 100)
_layers: Check[tuple[int, ...]] = listed(integer(0, MOST_LAYERS - 1), MOST_LAYERS)
_count = integer(0, MOST_PROMPTS)


def _windows(value: Any, name: str) -> Any:
    """One window, or several."""
    return (listed(_window, 100) if isinstance(value, list) else _window)(value, name)


_window = integer(-LARGEST)

_SETTINGS: dict[str, Check[Any]] = {
    "corruption": text,
    "noise_level": real(),
    "noise_samples": integer(-LARGEST),
    "window": _windows,
    "part_window": integer(),
    "seed": integer(-(2**63), 2**63 - 1),
    "prompt_template": optional(text),
    "chat": boolean,
    "rows": _keys,
    "metrics": _keys,
    "layers": optional(_layers),
    "swap_any": boolean,
    "window_rule": integer(),
    "swap_rule": integer(),
    "direction": text,
    "target": text,
    "baselines": boolean,
    "maps": _keys,
}
_LABELLING: dict[str, Check[Any]] = {
    "max_tokens": optional(integer()),
    "match": text,
    "reliance_threshold": optional(real()),
    "aliases": optional(
        with_keys(
            {"name": path, "sha256": text, "sets": listed(listed(text))},
            ("name", "sha256", "sets"),
        )
    ),
}
_MODEL: dict[str, Check[Any]] = {
    "name": path,
    "family": _key,
    "layers": integer(1, MOST_LAYERS),
    "hidden_size": integer(1),
    "vocabulary": integer(1),
    "dtype": text,
    "quantization": optional(text),
    "sha256": text,
    "trust_remote_code": boolean,
    "revision": optional(named),
    "adapter": optional(path),
    "path": text,
    "bits": optional(integer(1, 64)),
}
_DATA: dict[str, Check[Any]] = {
    "file": path,
    "sha256": text,
    "prompts": _count,
    "format": optional(text),
    "fields": optional(text),
    "asks": optional(text),
    "revision": optional(text),
}
_COSINES: dict[str, Check[Any]] = {
    "groups": mapped(listed(optional(real(-1 - 1e-3, 1 + 1e-3)), MOST_LAYERS), 100),
    "labelling": mapped(anything),
}


def _verdict(value: Any, name: str) -> tuple[bool, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise Damage(f"{name} is no verdict")
    return boolean(value[0], name), text(value[1], name)


_JUDGEMENTS: Check[Any] = listed(
    with_keys(
        {"file": path, "sha256": text, "verdicts": mapped(_verdict)},
        ("file", "sha256", "verdicts"),
    ),
    10_000,
)
#: Entries of the header; others are left alone.
_ENTRIES: dict[str, Check[Any]] = {
    "settings": with_keys(_SETTINGS),
    "model": with_keys(_MODEL, ("name", "family")),
    "data": with_keys(_DATA, ("file", "sha256")),
    "data_path": path,
    "limit": optional(integer(1)),
    "sample": optional(integer(1)),
    "batch_sizes": mapped(integer()),
    "repeats": text,
    "floor_limit": optional(real(0, _NATS)),
    "labelling": with_keys(_LABELLING, ("max_tokens",)),
    "versions": mapped(text, 1000),
    "layers": integer(1, MOST_LAYERS),
    "metrics": _keys,
    "rows": _keys,
    "whole": _keys,
    "maps": _keys,
    "only": optional(_layers),
    "total": _count,
    "cosines": with_keys(_COSINES),
    "judgements": _JUDGEMENTS,
    "world": with_keys({"ranks": integer(1), "plan": text}),
    "created": text,
}
_REQUIRED = (
    *("settings", "model", "data", "data_path", "limit", "labelling", "versions"),
    *("layers", "metrics", "rows", "whole", "total"),
)
_entries = with_keys(_ENTRIES, _REQUIRED)


@dataclass(frozen=True)
class Header:
    """What a run file says of its run, checked."""

    settings: Settings
    labelling: Labelling
    judgements: Judgements
    grid: Grid
    total: int
    floor_limit: float | None
    values: Mapping[str, Any]
    """All entries as JSON values."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Header":
        """Check the JSON values of a header.

        Raises:
            Damage: if they are not those of a run.
            InputError: if a newer version knows more settings.
        """
        _entries(dict(values), "the header")
        try:
            settings = Settings.from_json(values["settings"])
            labelling = _labelling(values["labelling"])
        except InputError as error:
            if "bring mlxjsd up to date" in error.hint:
                raise
            raise Damage(f"settings that cannot be: {error.what}") from None
        header = cls(
            settings=settings,
            labelling=labelling,
            judgements=Judgements.from_json(values.get("judgements", [])),
            grid=_grid(values),
            total=values["total"],
            floor_limit=values.get("floor_limit"),
            values=values,
        )
        header._check()
        return header

    def _check(self) -> None:
        grid, layers = self.grid, self.values["model"].get("layers", self.grid.layers)
        if JSD.key not in grid.metrics or not grid.rows or not {*ALWAYS} <= {*grid.whole}:
            raise Damage("a run without cells, or without what every run measures")
        if layers != grid.layers:
            raise Damage("other layers than its model")
        if grid.metrics != self.settings.metrics or grid.only != self.settings.layers:
            raise Damage("other metrics or layers than its settings")
        cosines = self.values.get("cosines", {})
        for group, numbers in cosines.get("groups", {}).items():
            if group not in CATEGORY_NAMES or len(numbers) != grid.layers:
                raise Damage("cosines of other groups or layers")
        if cosines and "groups" not in cosines:
            raise Damage("cosines of no groups")

    @property
    def tolerance(self) -> float:
        """By how much rounding may take a number out of its range."""
        return max(ROUNDING, self.floor_limit or 0.0)

    def run(
        self,
        records: Iterable[Record],
        skipped: Iterable[Skipped],
        failed: Iterable[Skipped],
    ) -> Run:
        """Put a run together from what its tables hold, in the order of the data file.

        Raises:
            Damage: if there are more prompts than the header says.
        """
        run = Run(
            settings=self.settings,
            model=self.values["model"],
            data=self.values["data"],
            versions=self.values["versions"],
            grid=self.grid,
            total=self.total,
            records=sorted(records, key=lambda record: record.position),
            skipped=sorted(skipped, key=lambda one: one.position),
            failed=sorted(failed, key=lambda one: one.position),
            labelling=self.labelling,
            cosines=self.values.get("cosines", {}),
            floor_limit=self.floor_limit,
            judgements=self.judgements,
        )
        check_count(run)
        return run


def most_tried(header: Mapping[str, Any]) -> int:
    """Return how many prompts may have been tried at most: a later version may find more of a
    file's prompts measurable than the one that began the run."""
    return int(max(header["total"], header["data"].get("prompts", 0)))


def check_count(run: Run) -> None:
    """Raise ``Damage`` if more prompts were tried than there are."""
    tried = {record.id for record in run.records} | {one.id for one in run.failed}
    if len(tried) > most_tried({"total": run.total, "data": run.data}):
        raise Damage(f"{len(tried)} prompts of {run.total}")


def _grid(values: Mapping[str, Any]) -> Grid:
    metrics, rows, whole = (
        unique(tuple(values[axis]), axis) for axis in ("metrics", "rows", "whole")
    )
    only = values.get("only")
    if only is not None and (list(only) != sorted(set(only)) or only[-1:] >= [values["layers"]]):
        raise Damage("layers that the model does not have")
    maps = unique(tuple(values.get("maps", ())), "maps")
    return Grid(values["layers"], metrics, rows, whole, None if only is None else tuple(only), maps)


def _labelling(values: Mapping[str, Any]) -> Labelling:
    if unknown := set(values) - {"max_tokens", "match", "reliance_threshold", "aliases"}:
        raise InputError(
            f"unknown labelling: {', '.join(sorted(unknown))[:200]}",
            hint="bring mlxjsd up to date, since a newer one wrote it",
        )
    return Labelling.from_json(values)
