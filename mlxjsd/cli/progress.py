"""A run's events as a progress bar on standard error."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mlxjsd.analysis.heatmap import floor_warning
from mlxjsd.run.events import BatchDone, Event, Finished, PeersLost, Started, Waiting
from mlxjsd.text import clean

#: Shares of a run after which a line says how far it is, where no bar can be drawn.
_LINES = 10


@contextmanager
def loading(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Say that a model is being loaded; yield what shows how far its download is."""
    downloads: list[Progress] = []

    def show(what: str, done: int, total: int) -> None:
        if not downloads:
            status.stop()
            if not console.is_terminal:
                console.print(what, markup=False)
            columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn()
            downloads.append(Progress(*columns, console=console, transient=True))
            downloads[0].add_task(what, total=total)
            downloads[0].start()
        downloads[0].update(downloads[0].task_ids[0], completed=min(done, total))
        if done >= total:
            downloads[0].stop()
            status.start()

    with console.status("loading the model") as status:
        try:
            yield show
        finally:
            for download in downloads:
                download.stop()


def follow(events: Iterable[Event], console: Console) -> Event | None:
    """Show ``events`` until they end; return the last one."""
    columns = (
        TextColumn("measuring"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    measured, seconds, highest, lines, waits = 0, 0.0, 0.0, 0, False
    event: Event | None = None
    floor_limit: float | None = None
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=None, rate="")
        for event in events:
            if isinstance(event, Started):
                floor_limit = event.floor_limit
                _introduce(event, progress.console)
                lines = event.done * _LINES // max(event.total, 1)
                progress.update(bar, total=event.total, completed=event.done)
            elif isinstance(event, BatchDone):
                measured += len(event.records)
                seconds += event.seconds
                rate = f"{measured / seconds:.1f} prompts/s"
                progress.update(bar, completed=event.done, rate=rate)
                for failed in event.failed:
                    text = f"{failed.id} could not be measured: {failed.reason}"
                    progress.console.print(Text(clean(text)), style="yellow")
                floor = max((record.floor for record in event.records), default=0.0)
                if floor > highest and (text := floor_warning(floor, floor_limit)):
                    progress.console.print(Text(text), style="yellow")
                highest = max(highest, floor)
            elif isinstance(event, Finished):
                progress.update(bar, completed=event.total)
            elif isinstance(event, Waiting):
                if not waits:
                    text = f"this rank's share is measured; waiting for {_named(event.ranks)}"
                    progress.console.print(text, style="dim", markup=False)
                waits = True
                progress.update(bar, completed=event.done, rate="")
            if isinstance(event, BatchDone | Waiting) and not console.is_terminal:
                # As under mlx.launch, which passes on lines.
                if event.done * _LINES // event.total > lines and event.done < event.total:
                    progress.console.print(f"{event.done} of {event.total} prompts", markup=False)
                lines = event.done * _LINES // event.total
    return event


def _introduce(event: Started, console: Console) -> None:
    for note in event.notes:
        console.print(note, style="dim", markup=False)
    if event.done:
        text = f"{event.done} of {event.total} prompts are there already"
        console.print(text, style="dim", markup=False)
    if event.skipped:
        console.print(f"{len(event.skipped)} prompts are skipped:", style="dim", markup=False)
        for skipped in event.skipped[:10]:
            console.print(Text(clean(f"  {skipped.id}: {skipped.reason}")), style="dim")


def peers_lost(event: PeersLost) -> str:
    """Say what is missing of a run whose other ranks are gone, and what to do."""
    left = f"{event.total - event.done} of {event.total} prompts are not measured"
    again = "the same command, on as many machines as you like, goes on from there"
    if not event.absent:
        return f"{left}, and no other rank is at work any more; {again}"
    return (
        f"{left} here: {_named(event.absent)} wrote no file in {event.folder}; if on the disk of "
        f"another machine, copy that folder here and join the two with `mlxjsd merge`, otherwise "
        f"{again}"
    )


def _named(ranks: tuple[int, ...]) -> str:
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}"
