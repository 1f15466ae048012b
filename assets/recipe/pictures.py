"""The README's pictures, from a real run of the bundled model.

    python -m mlxjsd.assets.recipe.pictures [--run FOLDER]

Measures the bundled prompts (or goes on with a run of them), and writes into this checkout's
``assets/``: the figure that the run itself writes, the panels by kind of answer, and the app in
the middle of the same measurement.
"""

import argparse
import asyncio
import shutil
import tempfile
from pathlib import Path

from mlxjsd.assets import MODEL
from mlxjsd.output.figure import plot_groups, save_figure, title_of
from mlxjsd.store.reader import read_run
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.engine import MLXEngine
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.run import RunScreen

ASSETS = MODEL.parent
#: Columns and lines of the app's picture: cells that show their value, and room to read.
APP_SIZE = (200, 44)


async def photograph(app: MlxjsdApp, share: float) -> str:
    """Let ``app`` measure to the end; return it as SVG when ``share`` of it was done."""
    taken = ""
    async with app.run_test(size=APP_SIZE) as pilot:
        while True:
            await pilot.pause(0.1)
            screen = app.screen
            assert isinstance(screen, RunScreen)
            state = screen.state
            if not taken and state.status is Status.RUNNING and state.done >= share * state.total:
                for _ in range(12):  # a pilot's press waits until the app is idle: after the run
                    app.simulate_key("right")
                await pilot.pause(0.3)
                taken = app.export_screenshot()
            if not state.status.live:
                break
        await app.action_quit()
    return taken


def main() -> None:
    """Make the three pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="where the run goes", default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.run or Path(scratch) / "bundled"
        svg = asyncio.run(photograph(MlxjsdApp(MLXEngine(), Job(output=folder)), 0.6))
        if svg:
            (ASSETS / "app.svg").write_text(svg, encoding="utf-8")
        run = read_run(folder)
        shutil.copyfile(folder / "heatmap.png", ASSETS / "heatmap.png")
        panels = plot_groups(run.heatmap(by="category"), title_of(run))
        save_figure(panels, ASSETS / "categories.png")


if __name__ == "__main__":
    main()
