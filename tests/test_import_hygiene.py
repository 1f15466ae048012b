"""Who may import what; each module is looked at in a process of its own."""

import subprocess
import sys

import pytest


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import mlxjsd", ["mlx", "numpy", "matplotlib", "textual", "rich", "typer"]),
        ("import mlxjsd.cli", ["mlx", "mlx_lm", "matplotlib", "textual", "transformers"]),
        (
            "import mlxjsd.store.writer, mlxjsd.store.reader, mlxjsd.output.export",
            ["mlx", "matplotlib", "textual"],
        ),
        ("import mlxjsd.output.figure", ["mlx", "textual", "matplotlib.pyplot"]),
        (
            "import mlxjsd, mlxjsd.assets; mlxjsd.read_prompts(mlxjsd.assets.PROMPTS)",
            ["mlx", "numpy", "matplotlib", "textual"],
        ),
        (
            "import mlxjsd.output.terminal, mlxjsd.prompts.prompt, mlxjsd.prompts.encode",
            ["mlx", "matplotlib", "textual"],
        ),
        ("import mlxjsd.output.preview, mlxjsd.prompts.flags", ["mlx", "matplotlib", "textual"]),
        ("import mlxjsd.run.experiment", ["matplotlib", "textual"]),
        ("import mlxjsd.tui.app", ["mlx", "matplotlib"]),
    ],
)
def test_modules_stay_on_their_side_of_the_wall(statement: str, absent: list[str]) -> None:
    assert not modules_after(statement) & set(absent)


def test_every_public_name_is_there_and_documented() -> None:
    code = (
        "import mlxjsd\n"
        "import mlxjsd.interventions.sweep, mlxjsd.interventions.reference\n"
        "for name in mlxjsd.__all__:\n"
        "    assert getattr(mlxjsd, name).__doc__, name\n"
        "    assert not isinstance(getattr(mlxjsd, name), type(mlxjsd)), name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_app_computes_with_the_blas_that_the_command_line_has() -> None:
    # Which one it is decides the last bits of every number, and most of the time.
    said = "import mlxjsd.model.load; print(mlxjsd.model.blas.OPENBLAS)"
    engine = (
        "import threading; from pathlib import Path; from mlxjsd.tui.engine import MLXEngine; "
        "from mlxjsd.tui.protocol import Job; "
        "MLXEngine()._run(Job(data=Path('no file')), threading.Event(), lambda news: None); "
    )
    alone, app = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for code in (said, engine + said)
    )
    assert alone.stdout == app.stdout
