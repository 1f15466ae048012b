"""What can be written is a list that anything may be added to."""

from pathlib import Path

import pytest
from records import run_of

from mlxjsd.errors import InputError
from mlxjsd.output.export import export_run
from mlxjsd.output.figure import plot_run, save_figure
from mlxjsd.output.writers import EXPORTS, FIGURES, Writer, Writers
from mlxjsd.results import Run


@pytest.fixture(autouse=True)
def _registries_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for registry in (EXPORTS, FIGURES):
        monkeypatch.setattr(registry, "_by_ending", dict(registry._by_ending))


def test_an_export_of_another_kind_needs_one_entry(tmp_path: Path) -> None:
    def ids(run: Run) -> bytes:
        return "\n".join(record.id for record in run.records).encode()

    endings = r"\.answers\.csv, \.tidy\.csv, \.maps\.csv, \.maps\.parquet, \.csv, \.json, \.npz"
    with pytest.raises(InputError, match=rf"an export ends in {endings}, .* not 'out.txt'"):
        export_run(run_of(), tmp_path / "out.txt")
    EXPORTS.register(Writer(".txt", "names of prompts", ids))
    export_run(run_of(), str(tmp_path / "out.TXT"))
    assert (tmp_path / "out.TXT").read_text() == "p0\np1\np2\np3"
    assert EXPORTS.endings == (
        *(".answers.csv", ".tidy.csv", ".maps.csv", ".maps.parquet"),
        *(".csv", ".json", ".npz", ".parquet"),
        ".txt",
    )
    assert str(EXPORTS).endswith(", .parquet (every prompt's cells) or .txt (names of prompts)")


def test_so_does_a_figure(tmp_path: Path) -> None:
    FIGURES.register(Writer(".txt", "its title", lambda f: f.axes[0].get_title().encode()))
    save_figure(plot_run(run_of()), str(tmp_path / "figure.txt"))
    assert (tmp_path / "figure.txt").read_text().startswith("tiny    n = 4")


def test_an_ending_has_one_writer() -> None:
    with pytest.raises(ValueError, match=r"a writer of \.csv already"):
        EXPORTS.register(Writer(".csv", "x", lambda run: b""))
    alone: Writers[Run] = Writers("a note")
    alone.register(Writer(".txt", "text", lambda run: b""))
    assert str(alone) == ".txt (text)"


def test_the_command_line_lists_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    from commands import call

    for command, registry in (("export", EXPORTS), ("plot", FIGURES)):
        assert call(command, "--help") == 0
        assert str(registry) in " ".join(capsys.readouterr().out.split())
