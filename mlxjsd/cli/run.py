"""The commands that measure a run: run, resume."""

import shlex
import sys
from dataclasses import replace
from typing import Annotated

import typer

from mlxjsd.cli import options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, load, prompts_of, show_run
from mlxjsd.cli.distributed import rank_of, share_of, team_for
from mlxjsd.cli.exit_codes import DONE, INTERRUPTED
from mlxjsd.cli.options import RunOptions, takes_run_options
from mlxjsd.cli.signals import Interrupts
from mlxjsd.run.job import Job


@app.command()
@takes_run_options
def run(
    asked: RunOptions,
    rank: options.Rank = None,
    tensor_parallel: options.TensorParallel = False,
) -> None:
    """Measure the heatmap; with no option, of the bundled model on the bundled prompts.

    The same command again goes on where it stopped. Under mlx.launch, or with --rank, several
    processes share the prompts.
    """
    measure(asked.job(), rank=rank, tensor_parallel=tensor_parallel)


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
