"""The commands that measure a run: run, resume."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlxjsd.cli import options, result_options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, load, prompts_of, show_run
from mlxjsd.cli.distributed import joined_group, measuring_rank, rank_of
from mlxjsd.cli.exit_codes import DONE, INTERRUPTED
from mlxjsd.cli.options import RunOptions
from mlxjsd.cli.run_options import takes_run_options, written
from mlxjsd.cli.signals import Interrupts
from mlxjsd.prompts.answers import AnswersTally
from mlxjsd.rank import Rank
from mlxjsd.run.job import Job
from mlxjsd.text import clean

if TYPE_CHECKING:
    from rich.console import Console

    from mlxjsd.run.events import Event
    from mlxjsd.run.plan import Plan


@app.command(short_help="Measure a heatmap; go on with one that was stopped.")
@takes_run_options
def run(
    asked: RunOptions,
    rank: options.Rank = None,
    tensor_parallel: options.TensorParallel = False,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Print these settings as a file for -c, and no more."),
    ] = False,
) -> None:
    """Measure the heatmap; with no option, of the bundled model on the bundled prompts.

    The same command again goes on where it stopped. Under mlx.launch, or with --rank, several
    processes share the prompts.
    """
    jobs = asked.jobs()
    if print_config:
        print(written(asked))
        return
    for job in jobs:
        measure(job, rank=rank, tensor_parallel=tensor_parallel)
    if len(jobs) > 1:
        from mlxjsd.cli.compare import compare_runs

        compare_runs([job.folder for job in jobs])


@app.command(short_help="Go on with a run that was stopped, as it began.")
def resume(
    folder: result_options.RunFolder,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Try the prompts again that could not be measured."),
    ] = False,
    batch_size: options.BatchSize = None,
    memory: options.Memory = None,
    trust_remote_code: options.TrustRemoteCode = False,
    rank: options.Rank = None,
    tensor_parallel: options.TensorParallel = False,
    download: Annotated[
        bool, typer.Option("--download", help="Download the model that the run names, if need be.")
    ] = False,
) -> None:
    """Go on with a run that was stopped, with the settings that it began with."""
    from mlxjsd.run.resume import job_of

    job = replace(job_of(folder, trust_remote_code), batch_size=batch_size, memory=memory)
    job = replace(job, download=download or _may_download(job))
    measure(job, retry_failed, rank, tensor_parallel)


def _may_download(job: Job) -> bool:
    """Ask for the download of a model that the run names; without a terminal it is refused."""
    from mlxjsd.model.hub import to_download

    wanted = to_download(job.model, job.revision)
    if wanted is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    said = f"The run names the model {clean(wanted)}, which is not on this machine. Download it?"
    try:
        return typer.confirm(said, default=False, err=True)
    except typer.Abort:
        return False


def measure(
    job: Job,
    retry_failed: bool = False,
    rank: str | None = None,
    tensor_parallel: bool = False,
) -> None:
    """Measure what is asked for; show it, or how to go on if it was stopped."""
    from mlxjsd.store.shards import shard_name
    from mlxjsd.store.writer import check_folder, check_free

    folder = job.folder
    check_folder(folder)  # now, not after a large model has been loaded
    process = rank_of(rank, tensor_parallel)
    if process.leads or not tensor_parallel:  # it writes
        check_free(folder, shard_name(process.index))
    prompts = prompts_of(job.data, job.format, job.fields)
    talk = console_for(stderr=True, quiet=not process.leads)  # one process prints for all
    if job.labelling.max_tokens is not None and not any(p.answers for p in prompts.prompts):
        for line in (AnswersTally(prompts.prompts).sentence(), *prompts.described()):
            talk.print(line, markup=False, soft_wrap=True)
    with joined_group(tensor_parallel) as group:
        loaded = load(
            talk,
            job.model,
            job.trust_remote_code,
            job.revision,
            job.adapter_path,
            group,
            job.bits,
            expected=job.expected,
            download=job.download,
        )
        plan = job.plan(loaded, prompts)
        measuring = measuring_rank(group, process, plan)
        if measuring is None:
            return
        last, interrupted = _measure_share(plan, folder, measuring, retry_failed, talk)

    from mlxjsd.cli.progress import peers_lost
    from mlxjsd.run.events import PeersLost, Stopped

    if isinstance(last, Stopped):
        talk.print(f"stopped after {last.done} of {last.total} prompts; to go on:", markup=False)
        if process.leads:
            print(shlex.join(["mlxjsd", "resume", str(folder)]), file=sys.stderr)
        raise typer.Exit(interrupted)
    if isinstance(last, PeersLost):
        talk.print(peers_lost(last), markup=False, soft_wrap=True)
        # Its share is done; a launcher that saw a failure would stop the others in theirs.
        raise typer.Exit(DONE if last.absent else INTERRUPTED)
    if process.leads:
        from mlxjsd.output.artifacts import write_products

        write_products(folder)
        show_run(folder)
        talk.print("\nthe run, heatmap.png and heatmap.csv are in", end=" ")
        print(folder)


def _measure_share(
    plan: "Plan", folder: Path, rank: Rank, retry_failed: bool, talk: "Console"
) -> tuple["Event | None", int]:
    """Measure the share of a rank; return the last event, and the exit code of an interrupt."""
    from mlxjsd.cli.progress import follow
    from mlxjsd.run.experiment import run_experiment
    from mlxjsd.store.shards import shard_name
    from mlxjsd.store.writer import forget_lock

    def say(sentence: str) -> None:
        talk.print(sentence, style="dim", markup=False)

    def on_abort() -> None:
        forget_lock(folder, shard_name(rank.index))

    if plan.model.group is not None:
        plan.model.group.on_abort = on_abort
    with Interrupts(say, on_abort) as interrupts:
        events = run_experiment(plan, folder, interrupts.asked, retry_failed, rank)
        return follow(events, talk), interrupts.exit_code
