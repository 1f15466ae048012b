"""A run's events as a progress bar on standard error."""

from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from mlxjsd.events import BatchDone, Event, Started
from mlxjsd.heatmap import floor_warning
from mlxjsd.plain import clean


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
    measured, seconds, highest = 0, 0.0, 0.0
    event: Event | None = None
    floor_limit: float | None = None
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=None, rate="")
        for event in events:
            if isinstance(event, Started):
                floor_limit = event.floor_limit
                for note in event.notes:
                    progress.console.print(note, style="dim", markup=False)
                if event.done:
                    told = f"{event.done} of {event.total} prompts are there already"
                    progress.console.print(told, style="dim", markup=False)
                if event.skipped:
                    told = f"{len(event.skipped)} prompts are skipped:"
                    progress.console.print(told, style="dim", markup=False)
                    for skipped in event.skipped[:10]:
                        told = f"  {skipped.id}: {skipped.reason}"
                        progress.console.print(Text(clean(told)), style="dim")
                progress.update(bar, total=event.total, completed=event.done)
            elif isinstance(event, BatchDone):
                measured += len(event.records)
                seconds += event.seconds
                rate = f"{measured / seconds:.1f} prompts/s"
                progress.update(bar, completed=event.done, rate=rate)
                for failed in event.failed:
                    told = f"{failed.id} could not be measured: {failed.reason}"
                    progress.console.print(Text(clean(told)), style="yellow")
                floor = max((record.floor for record in event.records), default=0.0)
                if floor > highest and (told := floor_warning(floor, floor_limit)):
                    progress.console.print(Text(told), style="yellow")
                highest = max(highest, floor)
    return event
