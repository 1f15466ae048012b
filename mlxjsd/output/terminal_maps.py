"""Maps on a terminal: the roles of a run's tokens, or the tokens of one prompt."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.text import Text

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.analysis.role_findings import role_sentences
from mlxjsd.analysis.token_map import measured_maps, token_map
from mlxjsd.maps import label
from mlxjsd.metrics import JSD
from mlxjsd.output.terminal import heatmap_text
from mlxjsd.output.xterm import TRUECOLOUR
from mlxjsd.results import Run
from mlxjsd.text import clean


def roles_text(
    run: Run,
    width: int,
    colours: int = TRUECOLOUR,
    by: str | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
    maps: Sequence[str] | None = None,
) -> RenderableType:
    """Return the averages of a run's maps by role, and what they say; with ``by``, of each group.

    Raises:
        InputError: for a run without maps, these maps, this metric or this effect.
    """
    names = measured_maps(run.grid, maps)
    panels: dict[str, Heatmap] = {}
    for name in names:
        found = (
            run.roles(name, by, metric, effect)
            if by
            else {"": run.roles(name, None, metric, effect)}
        )
        for group, one in found.items():
            counted = one.tokens.max(axis=1)
            rows = [f"{role} {n}" for role, n in zip(one.labels, counted, strict=True)]
            said = ", ".join(filter(None, [label(name), group]))
            panels[f"{said}: {one.described.label}, n = {one.count}; tokens at each role"] = (
                replace(one, names=tuple(rows))
            )
    parts = _panels(panels, width, colours)
    if by is None and (said_of := role_sentences(run.records, run.grid, metric, effect)):
        parts += [*map(Text, said_of)]
    return Group(*parts)


def prompt_text(
    run: Run,
    prompt: str | int | None,
    width: int,
    colours: int = TRUECOLOUR,
    metric: str = JSD.key,
    effect: Effect | None = None,
    maps: Sequence[str] | None = None,
) -> RenderableType:
    """Return the maps of one prompt, its tokens down; see :meth:`mlxjsd.results.Run.prompt`.

    Raises:
        InputError: for a run without maps, these maps, this metric or effect, or such a prompt.
    """
    names = measured_maps(run.grid, maps)
    record = run.prompt(prompt)
    follows = f"predicts {record.prediction.strip()} with {record.probability:.0%}"
    expected = f", expected: {record.answers[0]}" if record.answers else ""
    about = Text(f"{clean(record.text)}\n{clean(follows + expected)}; * the subject\n", "bold")
    panels: dict[str, Heatmap] = {}
    for name in names:
        found = token_map(record, name, metric, effect)
        panels[f"{label(name)}: {found.described.label}"] = found
    return Group(about, *_panels(panels, width, colours))


def _panels(panels: dict[str, Heatmap], width: int, colours: int) -> list[RenderableType]:
    """Return heatmaps below each other on one scale."""
    scale = scale_of(panels.values())
    parts: list[RenderableType] = []
    for name, found in panels.items():
        parts += [
            Text(clean(name), style="bold"),
            heatmap_text(found, width, colours, scale),
            Text(),
        ]
    return parts
