"""What a notebook shows, and the notebook that shows it."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from records import record, run_of

import mlxjsd
from mlxjsd.assets import MODEL
from mlxjsd.assets.recipe import notebook
from mlxjsd.output.figure import plot_run

HOSTILE = "<script>alert(1)</script><b>&amp;'\" onload=x\x1b[31m"


class Parsed(HTMLParser):
    """The tags and the texts of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str] = {}
        self.texts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes |= dict(attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def things() -> dict[str, Any]:
    run = run_of(4)
    return {
        "run": run,
        "heatmap": run.heatmap(by="category")["Factual associations"],
        "prompt": run.records[1],
        "comparison": mlxjsd.compare(run, run_of(3)),
        "published": mlxjsd.compare(run, "llama-3-8b-fa"),
    }


@pytest.mark.parametrize("name", ["run", "heatmap", "prompt", "comparison", "published"])
def test_a_thing_is_shown_as_a_picture_and_its_numbers(name: str) -> None:
    thing = things()[name]
    assert thing._repr_png_().startswith(b"\x89PNG")
    shown = Parsed(thing._repr_html_())
    picture = base64.b64decode(shown.attributes["src"].removeprefix("data:image/png;base64,"))
    assert picture.startswith(b"\x89PNG")
    pixels = int.from_bytes(picture[16:20], "big")
    assert abs(int(shown.attributes["width"]) * 2 - pixels) < 3, "two pixels for one"
    assert shown.tags.count("tr") == 4
    assert {"Subj.", "Attn.", "Last."} <= set(shown.texts)


def test_the_numbers_are_those_of_the_thing() -> None:
    run = run_of(4)
    peak = run.heatmap().peaks()[1]
    assert {f"{peak.value:.3f}", str(peak.layer)} <= set(Parsed(run._repr_html_()).texts)
    said = " ".join(Parsed(run._repr_html_()).texts)
    for part in ("tiny , 4 of 4 prompts", "noise 3σ, window 5", "2 FA; 2 UH"):
        assert part in said
    one = Parsed(run.records[2]._repr_html_())
    assert f"{run.records[2].jsd[0].max():.3f}" in one.texts
    assert one.texts[:3] == ["The capital of ", "country 2", " is"]
    assert one.tags[:3] == ["div", "p", "b"]


def test_a_subject_that_occurs_twice_is_marked_where_its_tokens_are() -> None:
    tokens = ("<s>", "Rome", " is older than", " Rome", " in New York")
    made = record(1, text="Rome is older than Rome in New York", subject="Rome", tokens=tokens,
                  subject_span=(3, 4))  # fmt: skip
    assert Parsed(made._repr_html_()).texts[:2] == ["Rome is older than ", "Rome"]


def test_texts_are_texts() -> None:
    records = [
        record(n, text=f"{HOSTILE} is", subject=HOSTILE, answer=HOSTILE, answers=(HOSTILE,))
        for n in range(2)
    ]
    run = run_of(2, model={"name": HOSTILE, "family": "x", "sha256": "a"}, records=records)
    for thing in (run, records[0], mlxjsd.compare(run, run)):
        written = thing._repr_html_()
        shown = Parsed(written)
        assert "script" not in shown.tags
        assert "onload" not in shown.attributes
        assert "\x1b" not in written
        assert HOSTILE.split("\x1b")[0] in "".join(shown.texts)


def test_a_run_without_prompts_and_a_figure_are_shown_too() -> None:
    assert "0 of 3 prompts so far" in "".join(Parsed(run_of(0, total=3)._repr_html_()).texts)
    assert plot_run(run_of())._repr_png_().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_quickstart_runs_and_shows_what_it_shows_in_the_checkout() -> None:
    path = MODEL.parent / "quickstart.ipynb"
    if not path.exists():
        pytest.skip("an installed package has no notebook")
    kept, found = nbformat.read(path, as_version=4), notebook.executed()

    def kinds(document: Any) -> list[tuple[str, list[list[str]]]]:
        return [
            (cell.source, [sorted(o.get("data", [o.output_type])) for o in cell.get("outputs", ())])
            for cell in document.cells
        ]

    assert kinds(kept) == kinds(found), "python -m mlxjsd.assets.recipe.notebook"
    texts = re.sub(r'"image/png": "[^"]*"|base64,[^\']*', "", path.read_text(encoding="utf-8"))
    assert not re.search(r"/(home|root|work|tmp|Users)/", texts), "no folder of one's own"
    assert "error" not in {o.output_type for cell in kept.cells for o in cell.get("outputs", ())}
    assert path.stat().st_size < 1_000_000


def test_the_notebook_is_not_part_of_the_package() -> None:
    root = Path(__file__).parents[2]
    data = (root / "pyproject.toml").read_text(encoding="utf-8").split("package-data")[1]
    assert "ipynb" not in data.split("[tool.pytest")[0]
