"""The commands of a report that travels: report, verify."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlxjsd.cli import options, result_options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, load, prompts_of, read
from mlxjsd.cli.exit_codes import WRONG
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD

if TYPE_CHECKING:
    from mlxjsd.results import Run
    from mlxjsd.run.verify import Verified


@app.command(short_help="Write a run as one HTML file, to be read offline.")
def report(
    folder: result_options.RunFolder,
    output: result_options.OutputFile,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
) -> None:
    """Write a run as one HTML file, to be read offline, and measured again with `verify`."""
    from mlxjsd.output.report.write import write_report

    write_report(read(folder, match, reliance_threshold, aliases), output)
    print(output)


@app.command(short_help="Measure some of a report again, and compare.")
def verify(
    file: Annotated[
        Path, typer.Argument(metavar="REPORT", help="A file of `mlxjsd report`, or a run folder.")
    ],
    model: options.Model = None,
    prompts: Annotated[
        str, typer.Option(metavar="N", help="Measure so many prompts again, or all.")
    ] = "8",
    seed: Annotated[
        int | None,
        typer.Option(help="Which prompts are drawn.", show_default="another one each time"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="The file of prompts, to look at what depends on all of it.",
            show_default="not looked at",
        ),
    ] = None,
    format: options.Format = None,
    fields: options.Fields = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
) -> None:
    """Measure some prompts of a report again, and say whether its numbers agree.

    Exit code 1 if they do not.
    """
    count = _count_of(prompts)
    run, steps, map_steps, notes = _read(file)
    asked = None if data is None else prompts_of(data, format, fields)
    talk = console_for(stderr=True)
    bits = run.model.get("bits")
    loaded = load(talk, model, trust_remote_code, revision, adapter_path, bits=bits)

    from rich.progress import track

    from mlxjsd.run.verify import drawn, verify

    seed = secrets.randbelow(1_000_000) if seed is None else seed
    chosen = drawn(run.records, count, seed)
    found: list[Verified] = []
    for one in track(
        verify(loaded, run, chosen, steps, asked, map_steps), "measuring", len(chosen),
        console=talk, transient=True,
    ):  # fmt: skip
        found.append(one)
    _tell(found, run, seed, steps, notes)
    if not all(one.agrees for one in found):
        raise typer.Exit(WRONG)


def _count_of(prompts: str) -> int | None:
    if prompts == "all":
        return None
    if not prompts.isdecimal() or not 0 < int(prompts) < 10**9:
        raise InputError(
            f"--prompts is a number from 1 up, or all, not {prompts[:80]!r}", hint="give one"
        )
    return int(prompts)


def _read(file: Path) -> "tuple[Run, dict[str, float], dict[str, float], list[str]]":
    """Return what is measured again, the steps of packed cells and maps, and what is to be said."""
    if file.is_dir():
        run = read(file)
        if not run.records:
            raise InputError(
                f"{file} has measured nothing yet", hint=f"go on with `mlxjsd resume {file}`"
            )
        return run, {}, {}, []
    from mlxjsd.output.report.reading import read_report

    report = read_report(file)
    run = report.run
    notes = [] if report.same_version else [
        f"The page was made by mlxjsd {run.versions.get('mlxjsd', 'of another version')}: "
        "its data are looked at, and not what stands around them."
    ]  # fmt: skip
    carrying = sum(record.maps is not None for record in run.records)
    if run.grid.maps and carrying < len(run.records):
        notes.append(
            f"The report holds the maps of {carrying} prompts, and no others are compared."
        )
    return run, dict(report.steps), dict(report.map_steps), notes


def _tell(
    found: "Sequence[Verified]",
    run: "Run",
    seed: int,
    steps: dict[str, float],
    notes: Sequence[str],
) -> None:
    from rich.table import Table
    from rich.text import Text

    from mlxjsd.text import clean, tiny

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("prompt", "numbers", "largest difference", ""):
        table.add_column(title)
    for one in found:
        verdict = Text("agrees", "green") if one.agrees else Text("DIFFERS", "bold red")
        gap = "other cells" if one.largest == float("inf") else f"{tiny(one.largest)} nats"
        gap = gap if one.numbers else "not measured"
        table.add_row(Text(clean(one.id)), str(one.numbers), gap, verdict)
    console = console_for()
    console.print(table)
    print()
    for one in found:
        for said in (*one.objections, *one.notes):
            print(f"{clean(one.id)}: {clean(said)}")
    agreeing = sum(one.agrees for one in found)
    numbers, floor = sum(one.numbers for one in found), max(one.floor for one in found)
    step = steps.get(JSD.key)
    packed = "" if step is None else f" beside half a packing step of {step:.1e}"
    print(
        f"{agreeing} of {len(found)} prompts agree, drawn with --seed {seed} from "
        f"{len(run.records)}: {numbers} numbers were measured again."
    )
    print(
        f"Two numbers agree within 1e-05 nats{packed}, or where their roots are as near as four "
        f"roots of the noise floor, {tiny(floor)} nats, and four units in the last place."
    )
    for note in notes:
        print(note)
