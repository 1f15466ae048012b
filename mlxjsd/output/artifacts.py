"""What a finished run leaves beside its numbers: the figure and the averages."""

from pathlib import Path

from mlxjsd.output.export import export_run
from mlxjsd.output.figure import plot_run, save_figure
from mlxjsd.store.reader import read_run


def write_products(folder: Path) -> None:
    """Write ``heatmap.png`` and ``heatmap.csv`` into a run folder.

    Raises:
        InputError: if they cannot be written.
    """
    run = read_run(folder)
    save_figure(plot_run(run), folder / "heatmap.png")
    export_run(run, folder / "heatmap.csv")
