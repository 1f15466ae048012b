"""`show`, `plot`, `summary` and `compare` of a run with maps."""

from pathlib import Path

import pytest
from commands import call
from mapped import mapped_folder
from records import HEADER, record

from mlxjsd.store.writer import Store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mapped_folder(tmp_path_factory.mktemp("run"))


@pytest.mark.slow
def test_maps_are_drawn_and_printed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, options in (
        ("map.png", ["--kind", "map", "--prompt", "2", "--map", "residual:denoising"]),
        ("roles.pdf", ["--kind", "roles", "--metric", "prob", "--effect", "change"]),
        ("groups.svg", ["--kind", "roles", "--by", "relation", "--width", "3.3", "--no-title"]),
    ):
        assert call("plot", folder, "-o", tmp_path / name, "--dpi", "40", *options) == 0
        assert (tmp_path / name).stat().st_size > 1000
    assert call("show", folder, "--kind", "map", "--prompt", "p1") == 0
    assert "Paris*" in capsys.readouterr().out
    assert call("show", folder, "--kind", "roles") == 0
    assert "First token after 4" in capsys.readouterr().out
    assert call("show", folder) == 0
    assert "maps of residual, residual:denoising" in capsys.readouterr().out
    assert call("summary", folder, "--metric", "prob") == 0
    assert "- Residual stream restored, Change of Target Probability:" in capsys.readouterr().out
    compared = ["compare", folder, "--reference", "rome-gpt-j"]
    assert call(*compared, "-o", tmp_path / "beside.png", "--dpi", "40") == 0
    assert "| Last token |" in capsys.readouterr().out
    assert (tmp_path / "beside.png").exists()


def test_what_makes_no_sense_is_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tmp_path / "plain"
    with Store(plain, HEADER) as store:
        store.add([record(0)])
    out = ["-o", tmp_path / "x.png"]
    for command, said in (
        (["plot", folder, "--prompt", "1", *out], "--prompt is for the map of one prompt"),
        (["plot", folder, "--map", "residual", *out], "--map is for maps"),
        (["plot", folder, "--kind", "map", "--by", "category", *out], "--by is for groups"),
        (["plot", folder, "--kind", "map", "--map", "mlp", *out], "no map 'mlp'"),
        (["plot", folder, "--kind", "map", "--prompt", "77", *out], "no prompt '77'"),
        (["plot", folder, "--kind", "roles", "--significance", *out], "--significance is for"),
        (["plot", plain, "--kind", "roles", *out], "the run has no maps"),
        (["show", folder, "--kind", "norms"], "--kind is heatmap, map or roles"),
        (["compare", folder, "--prompt", "1", folder], "--prompt is for a comparison with"),
        (["compare", folder, "--reference", "llama-3-8b-fa", "--prompt", "1"], "is a heatmap"),
        (["compare", folder, "--reference", "rome-gpt-j", "--metric", "kl"], "shows the metric"),
        (["compare", folder, "--reference", "rome-gpt-j", "-o", "x.html"], "a .html file shows"),
        (["compare", plain, "--reference", "rome-gpt-j"], "the run did not measure"),
    ):
        assert call(*command) == 2, command
        told = capsys.readouterr().err
        assert said in " ".join(told.split()), (command, told)
        assert told.count("\n") <= 3
