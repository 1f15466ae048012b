"""What a finished run leaves beside its numbers: the figure and the averages."""

from pathlib import Path

from mlxjsd.errors import InputError, MachineError, said_by
from mlxjsd.output.export import export_run
from mlxjsd.output.figure import plot_run, save_figure
from mlxjsd.store.reader import read_run


def write_products(folder: Path) -> None:
    """Write ``heatmap.csv`` and ``heatmap.png`` into a run folder, the numbers first.

    Raises:
        InputError: if they cannot be written.
        MachineError: if the disk is full, or the figure cannot be drawn on this machine.
    """
    run = read_run(folder)
    export_run(run, folder / "heatmap.csv")
    try:
        save_figure(plot_run(run), folder / "heatmap.png")
    except (InputError, MachineError):
        raise
    except Exception as error:  # matplotlib asks for fonts and folders of the user's
        raise MachineError(
            f"the figure cannot be drawn: {said_by(error, 200) or type(error).__name__}",
            hint=f"the run is whole, its averages are in {folder / 'heatmap.csv'}; `mlxjsd plot "
            "-o heatmap.png` draws it once matplotlib can",
        ) from error
