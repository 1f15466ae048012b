"""The command that takes over who has judged a run's answers: label."""

from pathlib import Path
from typing import Annotated

import typer

from mlxjsd.cli import result_options
from mlxjsd.cli.app import app
from mlxjsd.errors import InputError


@app.command(short_help="Take over verdicts on answers from somebody else.")
def label(
    folder: result_options.RunFolder,
    judgements: Annotated[
        Path | None,
        typer.Option(help="A table of verdicts, as `mlxjsd export RUN -o answers.csv` writes it."),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="Who has judged, where the table does not say.", show_default="the table's name"
        ),
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Take all judgements away: the rules judge again.")
    ] = False,
) -> None:
    """Take over verdicts on a run's answers that a person or another model has given.

    They go before the rules. Lines whose verdict and judge were left alone stay the rules'.
    """
    from mlxjsd.analysis.answers import RULE
    from mlxjsd.analysis.judgements import Judgements
    from mlxjsd.output.answers import read_answers
    from mlxjsd.store.judgements import write_judgements
    from mlxjsd.store.reader import read_run

    if (judgements is None) == (not rules):
        raise InputError(
            "label takes --judgements FILE or --rules, one of the two", hint="give one of them"
        )
    if judge is not None and judge.strip().casefold() in ("", RULE):
        raise InputError(
            f"a judge has a name, and not {judge!r}", hint="give one with --judge, or leave it out"
        )
    run = read_run(folder)
    found = Judgements()
    if judgements is not None:
        source = read_answers(judgements, run, judge and judge.strip())
        found = run.judgements.add(source) if source.verdicts else run.judgements
    write_judgements(folder, found)
    said = read_run(folder)
    if said.finished and (folder / "heatmap.csv").exists():
        from mlxjsd.output.artifacts import write_products

        write_products(folder)  # its averages of categories were those of other verdicts
    print(said.judged or "All answers are judged by rule.")
