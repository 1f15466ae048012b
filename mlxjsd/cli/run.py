"""The commands that compute: run, resume, check, bench."""

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlxjsd.cli import options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, load, prompts_of, show_run
from mlxjsd.cli.distributed import rank_of, share_of, team_for
from mlxjsd.cli.exit_codes import DONE, INTERRUPTED, WRONG
from mlxjsd.cli.options import template_from
from mlxjsd.cli.signals import Interrupts
from mlxjsd.run.job import Job
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Labelling, Settings

if TYPE_CHECKING:
    from mlxjsd.run.check import Check


@app.command()
def run(
    model: options.Model = None,
    data: options.Data = None,
    format: options.Format = None,
    output: options.Folder = None,
    limit: options.Limit = None,
    corruption: options.Corruption = Settings.corruption,
    noise_level: options.NoiseLevel = Settings.noise_level,
    noise_samples: options.NoiseSamples = Settings.noise_samples,
    window: options.Window = Settings.window,
    seed: options.Seed = Settings.seed,
    prompt_template: options.PromptTemplate = None,
    chat: options.Chat = False,
    batch_size: options.BatchSize = None,
    memory: options.Memory = None,
    label: options.Label = True,
    max_tokens: options.MaxTokens = 10,
    match: options.Match = Labelling.match,
    reliance_threshold: options.RelianceThreshold = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
    rank: options.Rank = None,
    tensor_parallel: options.TensorParallel = False,
) -> None:
    """Measure the heatmap; with no option, of the bundled model on the bundled prompts.

    The same command again goes on where it stopped. Under mlx.launch, or with --rank, several
    processes share the prompts.
    """
    template = template_from(prompt_template)
    settings = Settings(corruption, noise_level, noise_samples, window, seed, template, chat)
    labelling = Labelling(max_tokens if label else None, match, reliance_threshold)
    measure(
        Job(
            model,
            data,
            output,
            limit,
            settings,
            batch_size,
            trust_remote_code,
            labelling,
            format,
            revision,
            adapter_path,
            memory,
        ),
        rank=rank,
        tensor_parallel=tensor_parallel,
    )


@app.command()
def resume(
    folder: options.RunFolder,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try the prompts again that could not be measured."),
    ] = False,
    batch_size: options.BatchSize = None,
    memory: options.Memory = None,
    trust_remote_code: options.TrustRemoteCode = False,
    rank: options.Rank = None,
    tensor_parallel: options.TensorParallel = False,
) -> None:
    """Go on with a run that was stopped, with the settings that it began with."""
    from mlxjsd.run.resume import job_of

    job = replace(job_of(folder, trust_remote_code), batch_size=batch_size, memory=memory)
    measure(job, retry_failed, rank, tensor_parallel)


def measure(
    job: Job,
    retry_failed: bool = False,
    rank: str | None = None,
    tensor_parallel: bool = False,
) -> None:
    """Measure what is asked for; show it, and how to go on if it was stopped."""
    from mlxjsd.store.shards import shard_name
    from mlxjsd.store.writer import check_folder, check_free, forget_lock

    folder = job.folder
    check_folder(folder)  # now, not after a large model has been loaded
    place = rank_of(rank, tensor_parallel)
    if place.leads or not tensor_parallel:  # who writes
        check_free(folder, shard_name(place.index))
    prompts = prompts_of(job.data, job.format)
    talk = console_for(stderr=True, quiet=not place.leads)  # one speaks for all
    with team_for(tensor_parallel) as team:
        loaded = load(talk, job.model, job.trust_remote_code, job.revision, job.adapter_path, team)

        from mlxjsd.cli.progress import follow, peers_lost
        from mlxjsd.output.artifacts import write_products
        from mlxjsd.run.events import PeersLost, Stopped
        from mlxjsd.run.experiment import run_experiment

        plan = job.plan(loaded, prompts)
        share = share_of(team, place, plan)
        if share is None:
            return
        file = shard_name(share.index)

        def say(told: str) -> None:
            talk.print(told, style="dim", markup=False)

        def part() -> None:
            forget_lock(folder, file)

        if team is not None:
            team.farewell = part
        with Interrupts(say, part) as interrupts:
            events = run_experiment(plan, folder, interrupts.asked, retry_failed, share)
            last = follow(events, talk)
    if isinstance(last, Stopped):
        talk.print(f"stopped after {last.done} of {last.total} prompts; to go on:", markup=False)
        if place.leads:
            print(shlex.join(["mlxjsd", "resume", str(folder)]), file=sys.stderr)
        raise typer.Exit(interrupts.exit_code)
    if isinstance(last, PeersLost):
        talk.print(peers_lost(last), markup=False, soft_wrap=True)
        # Its share is done; a launcher that saw a failure would stop the others in theirs.
        raise typer.Exit(DONE if last.absent else INTERRUPTED)
    if not place.leads:
        return
    write_products(folder)
    show_run(folder)
    talk.print("\nthe run, heatmap.png and heatmap.csv are in", end=" ")
    print(folder)


@app.command()
def check(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="A model folder or Hub repository.",
            show_default="the bundled model",
        ),
    ] = None,
    data: options.Data = None,
    format: options.Format = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
) -> None:
    """Say what a model was found to be, and let it prove its numbers on this machine.

    Exit code 1 if a proof fails.
    """
    prompts = prompts_of(data, format)
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


@app.command()
def bench(
    model: options.Model = None,
    data: options.Data = None,
    format: options.Format = None,
    prompts: Annotated[int, typer.Option(min=1, help="Measured in each round.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Medians are over so many.")] = 3,
    batch_size: options.BatchSize = None,
    memory: options.Memory = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Time the one pass on this machine, against one pass for each cell and a plain one."""
    read = prompts_of(data, format)
    talk = console_for(stderr=True)
    loaded = load(talk, model, trust_remote_code, revision, adapter_path)

    from mlxjsd.run.bench import describe, run_bench

    with talk.status("taking the time"):
        plan = plan_run(loaded, read, batch_size=batch_size, memory=memory)
        found = run_bench(plan, prompts, rounds)
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
    proofs = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("proof", "measured", "allowed", ""):
        proofs.add_column(title)
    for proof in check.proofs:
        verdict = Text("pass", "green") if proof.passed else Text("FAIL", "bold red")
        proofs.add_row(proof.name, proof.measured, proof.allowed, verdict)
    return Group(facts, Text(), proofs)
