import json
import os
import subprocess
import sys

import numpy as np
import pytest

MEASURE = """
from mlxjsd import load_model, measure, plan_run, read_prompts
from mlxjsd.assets import PROMPTS
model = load_model()
print("not fused" if any("g++" in note for note in model.notes) else "fused")
print(measure(plan_run(model, read_prompts(PROMPTS), limit=1)).jsd().tolist())
"""
KERNEL = """
import mlx.core as mx
from mlxjsd import js_divergence
print(js_divergence(mx.array([[0.0, 1.0]]), mx.array([[1.0, 0.0], [0.0, 1.0]])).tolist())
"""


def _said(program: str, path: str) -> list[str]:
    environment = os.environ | {"PATH": path}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="MLX calls a compiler on Linux alone")
def test_without_a_compiler_the_numbers_are_the_same() -> None:
    with_one, without = _said(MEASURE, os.environ["PATH"]), _said(MEASURE, "/nowhere")
    assert without[0] == "not fused"
    ours, theirs = (np.array(json.loads(lines[1])) for lines in (with_one, without))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_kernel_alone_needs_no_compiler() -> None:
    differs, same = json.loads(_said(KERNEL, "/nowhere")[0])
    assert 0.1 < differs < 0.7
    assert same == 0
