"""A report as a file: what is in it, what of it can be trusted, and how large it is."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from commands import call
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from records import LAYERS, record, run_of
from reports import EVIL, document_in, edit, halve, hostile, sealed

from mlxjsd.errors import InputError
from mlxjsd.output.report.document import header_of
from mlxjsd.output.report.packing import (
    Packing,
    packed_floats,
    packed_levels,
    unpacked_floats,
    unpacked_levels,
)
from mlxjsd.output.report.page import _read, data_of
from mlxjsd.output.report.reading import read_report
from mlxjsd.output.report.write import report_page, write_report
from mlxjsd.records import Grid
from mlxjsd.store.damage import Damage

#: The files of Vega as they were published.
VEGA = {
    "vega/vega.min.js": "8f6a3587cf8d4f42c7e08120e3eb05d067e746d554e39d2dcf52acc0bd5ba28f",
    "vega/vega-interpreter.js": "c0bdb735a63f9276f136e8d90d7fdf5d8e9df8031eb069048fc9975c876fd7f9",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The report of a made-up run."""
    write_report(run_of(6), tmp_path / "report.html")
    return tmp_path / "report.html"


cells = arrays.arrays(
    np.float32,
    (2, 3, 4),
    elements=st.one_of(st.just(np.float32(np.nan)), st.floats(-50, 50, width=32)),
)


@settings(deadline=None)
@given(cells)
def test_a_packed_cell_is_within_half_a_step_of_the_measured_one(found: np.ndarray) -> None:
    names = ("kl", "logit_diff")
    packings = [Packing.of(name, each) for name, each in zip(names, found, strict=True)]
    levels = np.stack([p.levels(each) for p, each in zip(packings, found, strict=True)])
    written = unpacked_levels(packed_levels(levels), levels.shape)
    assert np.array_equal(written, levels)
    back = [p.cells(each) for p, each in zip(packings, written, strict=True)]
    for name, packing, was, now in zip(names, packings, found.astype(float), back, strict=True):
        assert np.array_equal(np.isnan(was), np.isnan(now))
        slack = packing.step * 0.5 + 1e-6 * np.nanmax(np.abs(was), initial=0)
        assert (np.abs(was - now)[~np.isnan(was)] <= slack).all()
        assert packing.step <= 100 / 65534
        assert packing.is_finest(name, now)


def test_nothing_stays_nothing_and_not_applicable_stays_that() -> None:
    found = np.array([[0.0, np.nan, 0.69]], np.float32)
    packing = Packing.of("jsd", found)
    assert packing.cells(packing.levels(found))[0, 0] == 0
    assert np.isnan(packing.cells(packing.levels(found))[0, 1])
    assert np.array_equal(unpacked_floats(packed_floats(found), (1, 3)), found, equal_nan=True)
    for written, shape in (("AAAA", (2,)), ("!!!!!!==", (1,)), (7, (1,)), ("", (1,))):
        with pytest.raises(Damage):
            unpacked_floats(written, shape)
    levels = packed_levels(np.zeros((10, 10), np.uint16))
    for written, shape in (
        *((levels, (10, 9)), (levels, (10, 11)), (levels[:-4], (10, 10)), ("AAAA", (2,))),
        *((levels, (10**6, 10**6)), (None, (1,)), (levels + levels, (10, 10))),
    ):
        with pytest.raises(Damage):
            unpacked_levels(written, shape)


def test_a_report_is_read_back_as_what_was_measured(path: Path) -> None:
    run, report = run_of(6), read_report(path)
    assert report.same_version
    assert report.steps["jsd"] < 1.1e-5
    for was, now in zip(run.records, report.run.records, strict=True):
        assert np.abs(was.cells - now.cells).max() <= report.steps["jsd"] / 2 + 1e-7
        assert np.array_equal(was.whole, now.whole)
        same = {"cells": now.cells, "whole": now.whole, "norms": now.norms}
        assert replace(was, **same) == now
    assert report.run.settings == run.settings
    assert report.run.labels() == run.labels()


class Page(HTMLParser):
    """Collects what a browser would take for elements, and for text."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._in = ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.attributes += attrs
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.words.append(data)


def test_hostile_text_is_text_in_every_field(tmp_path: Path) -> None:
    write_report(hostile(), tmp_path / "evil.html")
    content = (tmp_path / "evil.html").read_bytes()
    harmless, page = Page(report_page(run_of(3))), Page(content)
    for tag in ("script", "style", "meta", "link", "img", "iframe", "h1", "noscript"):
        assert page.tags.get(tag) == harmless.tags.get(tag), tag
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "<script>window.ran=1</script>" in "".join(page.words), "it is there, as text"
    shown = "".join(page.words)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\u2029\x1b]", shown)
    document = document_in(tmp_path / "evil.html")
    assert document["prompts"][0]["subject"] == EVIL, "the data hold it as it was"
    assert not set("<>&\u2028\u202e") & set(page.scripts[0])
    assert read_report(tmp_path / "evil.html").run.records[0].answers == (EVIL,)


def test_no_code_but_the_pages_own_may_run_and_nothing_may_be_asked() -> None:
    page = Page(report_page(run_of(3)))
    policy = next(str(v) for _, v in page.attributes if v and v.startswith("default-src"))
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; img-src")
    assert policy.count("unsafe") == policy.count("; style-src-attr 'unsafe-inline'") == 1
    assert "http" not in policy
    for script in page.scripts[1:]:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    named = [value for name, value in page.attributes if name in ("src", "href", "action")]
    assert all(str(value).startswith(("#", "data:,")) for value in named)
    for script in page.scripts[2:]:
        assert not re.search(r"\b(eval|fetch|XMLHttpRequest|WebSocket|import)\b\(", script)
        assert "innerHTML" not in script


def test_vega_is_as_it_was_published() -> None:
    assert {name: hashlib.sha256(_read(name).encode()).hexdigest() for name in VEGA} == VEGA


def test_a_report_is_made_the_same_again_and_says_nothing_of_the_machine() -> None:
    run = run_of(4, model={**run_of().model, "name": "/home/ann/models/llama"})
    run = replace(run, data={**run.data, "file": "/home/ann/secret/prompts.jsonl"})
    content = report_page(run)
    assert content == report_page(run)
    assert b"/home/ann" not in content
    assert header_of(run)["model"]["name"] == "llama"
    hub = replace(run, model={**run.model, "name": "mlx-community/Llama-4bit"})
    assert header_of(hub)["model"]["name"] == "mlx-community/Llama-4bit"


def test_a_thousand_prompts_are_small() -> None:
    # Texts are as long as those of the bundled prompts; so many tokens are more.
    run = run_of(1000, 32)
    assert len(report_page(run)) < 2_000_000
    rows = tuple(f"row{at}" for at in range(12))
    records = [record(at, 32, Grid(32, rows=rows)) for at in range(1000)]
    wide = replace(run, grid=Grid(32, rows=rows), records=records)
    assert len(report_page(wide)) < 4_000_000


def test_the_table_behind_the_picture_is_in_the_page_itself(path: Path) -> None:
    mean = run_of(6).heatmap().mean
    text = path.read_text()
    for layer in range(LAYERS):
        cells = re.search(rf'<th scope="row">{layer}</th>(.*?)</tr>', text)
        assert cells is not None
        for found, value in zip(re.findall(r"<td>([\d.]+)", cells[1]), mean[:, layer], strict=True):
            assert float(found) == pytest.approx(value, abs=2e-4)


def lower(document: dict) -> None:
    """Change one number of one prompt."""
    halve(document, 2, 5)


def test_a_number_that_was_changed_is_noticed_by_the_hash(path: Path) -> None:
    edit(path, lower)
    with pytest.raises(InputError, match="was edited or damaged: its data are not those"):
        read_report(path)


def test_a_number_that_was_changed_with_its_hash_contradicts_the_averages(path: Path) -> None:
    sealed(path, lower)
    with pytest.raises(InputError, match="its averages or sentences are not those of its prompts"):
        read_report(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda shown: shown["views"]["jsd"]["all"][0].update(n=7),
        lambda shown: shown.update(summary=shown["summary"] + " It is proven."),
        lambda shown: shown["verdicts"][0].__setitem__(0, not shown["verdicts"][0][0]),
        lambda shown: shown["grid"]["labels"].reverse(),
        lambda shown: shown.update(threshold=0.5),
    ],
    ids=["n", "sentence", "verdict", "labels", "threshold"],
)
def test_what_is_shown_has_to_follow_from_what_was_measured(path: Path, change) -> None:  # type: ignore[no-untyped-def]
    sealed(path, lambda document: change(document["shown"]))
    with pytest.raises(InputError, match="its averages or sentences"):
        read_report(path)


def test_nobody_packs_so_coarsely_that_other_numbers_are_the_same(path: Path) -> None:
    def coarsely(document: dict) -> None:
        document["packing"]["jsd"] = {"low": 0.0, "step": 0.2}
        document["cells"]["jsd"] = packed_levels(np.full((6, 3, LAYERS), 1, "<u2"))

    sealed(path, coarsely)
    with pytest.raises(InputError, match="jsd is packed more coarsely than it has to be"):
        read_report(path)


def test_a_page_that_says_something_else_than_its_data_is_edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"<h1>tiny</h1>", b"<h1>GPT</h1>"))
    with pytest.raises(InputError, match="its page says something else than its data"):
        read_report(path)


def test_other_files_and_other_versions_are_one_sentence(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.html").write_text("<html><script>1</script></html>")
    assert call("verify", tmp_path / "other.html") == 2
    assert "is no report of mlxjsd; name a file that" in capsys.readouterr().err
    assert call("verify", tmp_path / "none.html") == 2
    sealed(path, lambda document: document.update(format=99))
    assert call("verify", path) == 2
    assert "layout 99, and this mlxjsd reads layout 2" in capsys.readouterr().err
    for typed in ("0", "-1", "some", "1e3"):
        assert call("verify", path, "--prompts", typed) == 2
        assert "--prompts is a number from 1 up, or all" in capsys.readouterr().err


def test_a_page_of_another_version_is_read_for_its_data(path: Path) -> None:
    sealed(path, lambda document: document.update(page="0" * 16))
    assert not read_report(path).same_version


def test_a_run_without_a_prompt_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing has been measured yet"):
        write_report(run_of(0), tmp_path / "r.html")
    with pytest.raises(InputError, match=r"a report ends in \.html"):
        write_report(run_of(2), tmp_path / "r.png")


def test_a_single_prompt_has_a_page_of_its_own() -> None:
    content = report_page(run_of(1))
    assert b'id="groups"' not in content
    assert b">Heatmap</h2>" in content


def test_data_are_plain_json() -> None:
    document = {"a": EVIL, "b": [1.5, None, "</ScRiPt>"]}
    assert json.loads(data_of(document)) == document
    assert data_of(document).isascii()
