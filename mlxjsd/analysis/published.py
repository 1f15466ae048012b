"""Published numbers that come with mlxjsd: heatmaps that were read off a figure, and maps."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlxjsd.analysis.effects import Effect
from mlxjsd.assets import PUBLISHED
from mlxjsd.errors import InputError
from mlxjsd.roles import ROLES

#: What a file's ``kind`` is: averages by role, or the tokens of one prompt. Heatmaps have none.
_ROLES, _TOKENS = "roles", "tokens"


@dataclass(frozen=True)
class PublishedMap:
    """Averages of a map over prompts, by role or by token, and what is different about them."""

    name: str
    title: str
    source: str
    """Where the numbers were taken from."""
    differs: tuple[str, ...]
    """In what they were measured differently than a run of mlxjsd, as sentences."""
    map: str
    """Name of the map that they are of, such as ``residual:denoising``."""
    metric: str
    effect: Effect
    once: bool
    """See :func:`mlxjsd.analysis.roles.tokens_of_roles`."""
    prompts: int
    values: np.ndarray
    """(rows, L) in the unit of the metric; NaN where there is no number."""
    tokens: tuple[str, ...] = ()
    """The row's tokens, the subject's and those behind it; empty where rows are roles."""
    subject: int = 0
    """How many of the tokens are the subject's."""

    @property
    def layers(self) -> int:
        """Layers of its model."""
        return int(self.values.shape[1])

    def by_role(self) -> np.ndarray:
        """Return the numbers by role, (roles, L); NaN where no token has a role."""
        if not self.tokens:
            return self.values
        means = np.full((len(ROLES), self.layers), np.nan)
        for at, role in enumerate(ROLES.values()):
            if places := list(role.tokens(0, self.subject, len(self.tokens))):
                means[at] = self.values[places].mean(axis=0)
        return means


def published_names(maps: bool | None = None) -> list[str]:
    """Return the names of all published numbers, of heatmaps alone (False) or maps (True)."""
    names = sorted(path.stem for path in PUBLISHED.glob("*.json"))
    return [name for name in names if maps is None or ("kind" in _document(name)) == maps]


def published_document(name: str) -> dict[str, Any]:
    """Return what is known of published numbers, as JSON values.

    Raises:
        InputError: for an unknown name; the message lists those there are.
    """
    known = published_names()
    if name not in known:
        raise InputError(
            f"there is no published figure {name!r}; there is {', '.join(known)}",
            hint="give one of these with --reference",
        )
    return _document(name)


def _document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PUBLISHED / f"{name}.json").read_text(encoding="utf-8"))
    return found


def published_map(name: str) -> PublishedMap | None:
    """Return a published map; None if the numbers of this name are a heatmap.

    Raises:
        InputError: for an unknown name.
    """
    found = published_document(name)
    if "kind" not in found:
        return None
    keys = tuple(ROLES) if found["kind"] == _ROLES else tuple(found["values"])
    nothing = [None] * found["layers"]
    values = [found["values"].get(key, nothing) for key in keys]
    return PublishedMap(
        name=found["name"],
        title=found["title"],
        source=found["source"],
        differs=tuple(found["differs"]),
        map=found["map"],
        metric=found["metric"],
        effect=Effect(found["effect"]),
        once=found["once"],
        prompts=found["prompts"],
        values=np.array(values, np.float64),
        tokens=tuple(found.get("tokens", ())),
        subject=found.get("subject", 0),
    )
