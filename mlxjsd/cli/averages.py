"""The options of commands that show averages: which effect, and what is marked."""

from typing import Annotated

import typer

from mlxjsd.cli import completion

Effect = Annotated[
    str | None,
    typer.Option(
        "--effect",
        help="What the edits change: change, or normalised by the corruption's total effect.",
        show_default="the numbers as they were measured",
        autocompletion=completion.effects,
    ),
]
LeastTotal = Annotated[
    float | None,
    typer.Option(
        "--least-total",
        help="Leave prompts with a smaller total effect out of normalised effects.",
        show_default="by the metric, see the README",
    ),
]
Significance = Annotated[
    bool,
    typer.Option(
        "--significance",
        help="Mark cells that differ for sure: from their control, with --by from panel (a), in a "
        "comparison between both runs.",
    ),
]
