"""The command that measures one sentence: ask."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlxjsd.cli import completion
from mlxjsd.cli.app import app
from mlxjsd.cli.common import colours_of, console_for, load
from mlxjsd.cli.names import Names
from mlxjsd.cli.options import RunOptions
from mlxjsd.cli.run_options import takes_run_options
from mlxjsd.errors import InputError
from mlxjsd.maps import MAPS
from mlxjsd.prompts.sentence import EXAMPLE, Sentence, read_sentence, without_marks

if TYPE_CHECKING:
    from rich.console import Console

    from mlxjsd.model.loaded import LoadedModel

#: The options of a run that one sentence has.
OF_A_RUN = (
    *("model", "noise_level", "noise_samples", "window", "part_window", "rows"),
    *("metrics", "maps", "direction", "target", "layers", "seed", "prompt_template", "chat"),
    *("trust_remote_code", "revision", "adapter_path", "bits"),
)
#: What is typed for no map.
NO_MAP = "none"
_Maps = Annotated[
    Names,
    typer.Option(
        "--map",
        metavar="NAME,...",
        parser=Names.parse,
        help=f"Every token at every layer: {', '.join(MAPS)}, or {NO_MAP}.",
        show_default="residual, where a model has the one pass",
        autocompletion=completion.several([*MAPS, NO_MAP]),
    ),
]
_CHOSEN = re.compile(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?")


@app.command(short_help="Measure one sentence, right now.")
@takes_run_options(names=OF_A_RUN, instead={"maps": _Maps})
def ask(
    sentence: Annotated[str, typer.Argument(help=f'Its subject in brackets, as in "{EXAMPLE}".')],
    asked: RunOptions,
    subject: Annotated[
        str | None, typer.Option(help="The subject, where no brackets mark it.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="SENTENCE",
            help="The same words about another subject, in place of noise.",
            show_default="none",
        ),
    ] = None,
    answer: Annotated[
        str | None, typer.Option(help="What is right, for --target answer.", show_default="none")
    ] = None,
    calibrated_by: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Say where its reliance lies among the FA, AH and UH of this run.",
            show_default="none",
            autocompletion=completion.runs,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Keep it: .png, .pdf, .svg, .html or .json.",
            show_default="not kept",
        ),
    ] = None,
) -> None:
    """Measure one sentence: what comes next, and where in the model its subject matters.

    Brackets mark the subject. Without them, and on a terminal, its tokens are shown to choose
    from. No run folder is written.
    """  # fmt: skip
    maps = tuple(asked.maps) or None
    if maps == (NO_MAP,):
        asked, maps = replace(asked, maps=Names()), ()
    job = asked.job()
    if output is not None:
        from mlxjsd.output.asked_files import check_ending

        check_ending(output)
    typed = _sentence(sentence, subject)
    talk = console_for(stderr=True)
    loaded = load(
        talk, job.model, job.trust_remote_code, job.revision, job.adapter_path, bits=job.bits
    )
    if typed is None:
        typed = _chosen(sentence, loaded, talk)

    from mlxjsd.output.asked_text import asked_text
    from mlxjsd.run.ask import ask as measured

    with talk.status("measuring"):
        found = measured(
            loaded, typed, job.settings, against=against, answer=answer,
            calibrated_by=calibrated_by, maps=maps,
        )  # fmt: skip
    console = console_for()
    console.print(asked_text(found, console.width, colours_of(console)), markup=False)
    if output is not None:
        from mlxjsd.output.asked_files import write_asked

        write_asked(found, output)
        talk.print(f"\nit is kept in {output}", markup=False, soft_wrap=True)


def on_a_terminal() -> bool:
    """Say whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _sentence(typed: str, subject: str | None) -> Sentence | None:
    """Return the sentence; None for one without a mark that somebody can be asked about."""
    marked = subject is not None or without_marks(typed)[1] is not None
    if not marked and typed.strip() and on_a_terminal():
        return None
    return read_sentence(typed, subject)


def _chosen(typed: str, model: "LoadedModel", talk: "Console") -> Sentence:
    """Show the tokens of a sentence, and ask which of them are its subject."""
    from mlxjsd.output.asked_text import tokens_text
    from mlxjsd.prompts.sentence import sentence_of_tokens

    text, _ = without_marks(typed)
    tokens = [token for token, *_ in model.encoder.places(text)]
    talk.print(tokens_text(tokens, (0, 0), talk.width, coloured=True, numbered=True))
    while True:
        said = typer.prompt("Which tokens are the subject, as in 2-3", err=True)
        if match := _CHOSEN.fullmatch(said):
            first, last = int(match[1]), int(match[2] or match[1])
            try:
                return sentence_of_tokens(text, model.encoder, first, last)
            except InputError as error:
                talk.print(f"{error}", markup=False)
