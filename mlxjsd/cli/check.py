"""The commands that try a model on this machine: check, bench."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from mlxjsd.cli import completion, options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, load, prompts_of
from mlxjsd.cli.exit_codes import WRONG
from mlxjsd.cli.run_options import variable_of
from mlxjsd.model.packaged import PACKAGED

if TYPE_CHECKING:
    from mlxjsd.run.check import Check


@app.command(short_help="Check a model and its numbers on this machine.")
def check(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help=f"A model folder, a Hub repository, or {' or '.join(PACKAGED)}.",
            show_default="the bundled model",
            autocompletion=completion.models,
            envvar=variable_of("model"),
            show_envvar=False,
        ),
    ] = None,
    data: options.Data = None,
    format: options.Format = None,
    fields: options.Fields = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
) -> None:
    """Say what a model was found to be, and check its numbers on this machine.

    Exit code 1 if a check fails.
    """
    prompts = prompts_of(data, format, fields)
    talk = console_for(stderr=True)
    loaded = load(talk, model, trust_remote_code, revision, adapter_path)

    from mlxjsd.run.check import check_model

    for note in loaded.notes:
        talk.print(note, style="dim", markup=False)
    with talk.status("checking"):
        result = check_model(loaded, prompts)
    console_for().print(check_table(result))
    if not result.passed:
        raise typer.Exit(WRONG)


@app.command(short_help="Time the one pass on this machine, against plain ways.")
def bench(
    model: options.Model = None,
    data: options.Data = None,
    format: options.Format = None,
    fields: options.Fields = None,
    prompts: Annotated[int, typer.Option(min=1, help="The most of a round.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each time is their median.")] = 3,
    seconds: Annotated[
        float, typer.Option(min=1, help="About so long; prompts and rounds are cut to it.")
    ] = 60,
    batch_size: options.BatchSize = None,
    memory: options.Memory = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Time the one pass on this machine, against one pass for each cell and a plain one."""
    read = prompts_of(data, format, fields)
    talk = console_for(stderr=True)
    loaded = load(talk, model, trust_remote_code, revision, adapter_path)

    from mlxjsd.run.bench import describe, run_bench
    from mlxjsd.run.plan import plan_run

    plan = plan_run(loaded, read, batch_size=batch_size, memory=memory)
    columns = TextColumn("timing {task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=talk, transient=True) as bar:
        task = bar.add_task("one prompt", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)
            if not talk.is_terminal:
                talk.print(f"timing {what} ({done} of {total})", markup=False)

        found = run_bench(plan, prompts, rounds, seconds, progress)
    if json:
        from json import dumps

        print(dumps(found.to_json(), indent=2))
    else:
        print(describe(found))


def check_table(check: "Check") -> RenderableType:
    """Return what ``mlxjsd check`` prints."""
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    seen = ""
    for name, value in check.facts:
        facts.add_row("" if name == seen else name, Text(value))
        seen = name
    checks = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("check", "measured", "allowed", ""):
        checks.add_column(title)
    for invariant in check.invariants:
        verdict = Text("pass", "green") if invariant.passed else Text("FAIL", "bold red")
        checks.add_row(invariant.name, invariant.measured, invariant.allowed, verdict)
    return Group(facts, Text(), checks)
