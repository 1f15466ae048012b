"""What `show` and `plot` do with maps: of one prompt, or by the role of the tokens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlxjsd.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from mlxjsd.analysis.effects import Effect
    from mlxjsd.output.page import Page
    from mlxjsd.output.plain_matplotlib import Figure
    from mlxjsd.output.style import Style
    from mlxjsd.results import Run

#: Kinds of picture, beside the heatmap.
MAP, ROLES = "map", "roles"


@dataclass(frozen=True)
class Asked:
    """Which maps are asked for, and how they are shown."""

    kind: str
    prompt: str | None
    """Whose map; None for the first prompt's."""
    maps: tuple[str, ...] | None
    """Their names; None for all."""
    by: str | None
    metric: str
    effect: "Effect | None"

    def figure(self, run: "Run", style: "Style", page: "Page") -> "Figure":
        """Draw them."""
        from mlxjsd.output.map_figure import plot_map, plot_roles

        if self.kind == MAP:
            return plot_map(run, self.prompt, self.maps, self.metric, self.effect, style, page)
        return plot_roles(run, self.by, self.maps, self.metric, self.effect, style, page)

    def show(self, run: "Run", console: "Console") -> None:
        """Print them."""
        from mlxjsd.cli.common import colours_of
        from mlxjsd.output.terminal_maps import prompt_text, roles_text

        how = console.width, colours_of(console)
        if self.kind == MAP:
            shown = prompt_text(run, self.prompt, *how, self.metric, self.effect, self.maps)
        else:
            shown = roles_text(run, *how, self.by, self.metric, self.effect, self.maps)
        console.print(shown, markup=False)


def asked_of(
    kind: str,
    prompt: str | None,
    maps: str | None,
    by: str | None,
    metric: str,
    effect: "Effect | None",
) -> Asked | None:
    """Return which maps are asked for; None if the kind of picture is another one.

    Raises:
        InputError: for an option that is not of this kind.
    """
    if kind not in (MAP, ROLES) and maps is not None:
        raise InputError("--map is for maps", hint="leave it out, or add --kind map or roles")
    if kind != MAP and prompt is not None:
        raise InputError(
            "--prompt is for the map of one prompt", hint="leave it out, or add --kind map"
        )
    if kind == MAP and by is not None:
        raise InputError(
            "--by is for groups, and a map is of one prompt",
            hint="leave it out, or add --kind roles",
        )
    if kind not in (MAP, ROLES):
        return None
    names = None if maps is None else tuple(name.strip() for name in maps.split(","))
    return Asked(kind, prompt, names, by, metric, effect)
