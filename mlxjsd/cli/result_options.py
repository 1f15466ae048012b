"""The options of what reads a run: which one, where to write, and how large a figure is."""

from pathlib import Path
from typing import Annotated

import typer

from mlxjsd.cli import completion
from mlxjsd.metrics import METRICS
from mlxjsd.settings import GROUPINGS

RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder.", autocompletion=completion.runs)
]
OptionalRunFolder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[RUN]", help="A run folder to look at.", autocompletion=completion.runs
    ),
]
RunFolders = Annotated[
    list[Path],
    typer.Argument(metavar="A [B ...]", help="Run folders.", autocompletion=completion.runs),
]
OutputFile = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]
By = Annotated[
    str | None,
    typer.Option(
        help=f"One heatmap for each {', '.join(GROUPINGS)}.",
        autocompletion=completion.of(GROUPINGS),
    ),
]
Metric = Annotated[
    str,
    typer.Option(
        "--metric",
        help=f"Of those that were measured: {', '.join(METRICS)}.",
        autocompletion=completion.of(METRICS),
    ),
]

PromptOfRun = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        metavar="ID|NUMBER",
        help="Whose map: an id, or a number from 1.",
        show_default="the first",
    ),
]
Maps = Annotated[
    str | None,
    typer.Option(
        "--map",
        metavar="NAME,...",
        help="Of those that were measured, such as residual:denoising.",
        show_default="all",
    ),
]

# Those of a figure.

Width = Annotated[
    float | None,
    typer.Option(
        metavar="INCHES", help="As in a paper's column, 3.3.", show_default="as the layers need"
    ),
]
FontSize = Annotated[
    float | None,
    typer.Option(metavar="POINTS", help="Of all letters.", show_default="10, or 8 below 5 inches"),
]
NoTitle = Annotated[bool, typer.Option("--no-title", help="No words above the figure.")]
Dpi = Annotated[int, typer.Option(help="Pixels of an inch, in a .png.")]
