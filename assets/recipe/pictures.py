"""The README's pictures, from a run of a real model and one of the bundled model.

    python -m mlxjsd.assets.recipe.pictures [--real FOLDER] [--run FOLDER]

Measures the first facts of the tables on SmolLM2-135M-Instruct and the bundled prompts on the
bundled model (or goes on with runs of them), and writes into this checkout's ``assets/``: the real
model's panels by kind of answer, the figure that the bundled model's run itself writes, and the app
in the middle of the same measurement.
"""

import argparse
import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from mlxjsd.assets import MODEL
from mlxjsd.model.load import load_model
from mlxjsd.output.figure import plot_groups, save_figure, title_of
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.experiment import run_experiment
from mlxjsd.store.reader import read_run
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.engine import MLXEngine
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.run import RunScreen

ASSETS = MODEL.parent
#: Columns and lines of the app's picture: cells that show their value, and room to read.
APP_SIZE = (200, 44)
#: What the real model is measured on: as many facts of each relation, untouched by any training.
REAL = Job(model="smollm2-135m", data=Path("facts"), limit=800)


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
                screen.show_all()  # every panel of the same prompts
                await pilot.pause()
                taken = app.export_screenshot()
            if not state.status.live:
                break
        await app.action_quit()
    return taken


def draw_real(folder: Path) -> None:
    """Draw the real model's panels by kind of answer, from a run in ``folder``."""
    job = replace(REAL, output=folder)
    for _ in run_experiment(job.plan(load_model(job.model), read_prompts("facts")), folder):
        pass
    run = read_run(folder)
    save_figure(plot_groups(run.heatmap(by="category"), title_of(run)), ASSETS / "real.png")


def main() -> None:
    """Make the three pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="where the real model's run goes")
    parser.add_argument("--run", type=Path, help="where the bundled model's run goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        draw_real(options.real or Path(scratch) / "real")
        folder = options.run or Path(scratch) / "bundled"
        svg = asyncio.run(photograph(MlxjsdApp(MLXEngine(), Job(output=folder)), 0.6))
        if svg:
            (ASSETS / "app.svg").write_text(svg, encoding="utf-8")
        shutil.copyfile(folder / "heatmap.png", ASSETS / "heatmap.png")


if __name__ == "__main__":
    main()
