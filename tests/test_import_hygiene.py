"""Who may import what; each module is looked at in a process of its own."""

import ctypes
import json
import os
import subprocess
import sys
from contextlib import suppress

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


#: Prints, as JSON, which BLAS a process has that imports one name, and then another. Each does so
#: in a fork of a process that has imported nothing else. Whether OpenBLAS is the one in use is seen
#: by the last bits of a product: the reference BLAS, which MLX brings along, sums in another order.
WHICH_BLAS = """
import json, os, sys
import mlxjsd

def after(statement, look):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            exec(statement)
            os.write(writer, json.dumps(look()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        found = answer.read()
    os.waitpid(child, 0)
    return json.loads(found)

def blas():
    from mlxjsd.model.blas import OPENBLAS
    import mlx.core as mx
    numbers = mx.sin(mx.arange(256 * 256).reshape(256, 256))
    return [OPENBLAS, bytes(memoryview(numbers @ numbers.T)).hex()[:4096]]

def imports_mlx():
    return "mlx.core" in sys.modules

def then():
    return {name: after(f"from mlxjsd import {name}", blas) for name in names}

names = [n for n in mlxjsd.__all__ if after(f"from mlxjsd import {n}", imports_mlx)]
print(json.dumps({
    "fresh": after("import mlxjsd.model.blas", blas),
    "without": after("os.environ['MLXJSD_OPENBLAS'] = '0'", blas),
    "engine": after("import mlxjsd.tui.engine", blas),
    "pairs": {name: after(f"from mlxjsd import {name}", then) for name in names},
}))
"""


def openblas_is_installed() -> bool:
    with suppress(OSError):
        return sys.platform == "linux" and bool(ctypes.CDLL("libopenblas.so.0"))
    return False


@pytest.mark.slow
@pytest.mark.skipif(not openblas_is_installed(), reason="needs OpenBLAS")
def test_whatever_is_imported_first_does_not_decide_the_blas() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MLXJSD_OPENBLAS"}
    command = [sys.executable, "-c", WHICH_BLAS]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    assert {"js_divergence", "load_model", "sweep_batch", "run_experiment"} <= set(found["pairs"])
    (flag, bits), (other_flag, other_bits) = found["fresh"], found["without"]
    assert flag
    assert not other_flag
    assert bits != other_bits, "so that the product tells the two apart"
    assert found["engine"] == found["fresh"]
    pairs = {(a, b): blas for a, seconds in found["pairs"].items() for b, blas in seconds.items()}
    assert [pair for pair, blas in pairs.items() if blas != found["fresh"]] == []


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
