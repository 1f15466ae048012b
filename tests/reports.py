"""Reports that were edited, by accident or with care, and what may stand in one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from records import LAYERS, record, run_of

from mlxjsd.output.report.document import Document, shown
from mlxjsd.output.report.packing import packed_levels, unpacked_levels
from mlxjsd.output.report.page import DATA_BEGINS, DATA_ENDS, data_of, page_around
from mlxjsd.output.report.reading import _run_of
from mlxjsd.results import Run
from mlxjsd.settings import Settings

Change = Callable[[Document], Any]

#: Ends of scripts, attributes, comments and strings; what JavaScript takes for a line's end; what
#: turns text round; Markdown and templates.
EVIL = (
    "</script><script>window.ran=1</script>'\"><img src=x onerror=window.ran=1>"
    "<!-- &lt; \u2028\u2029 \u202eabc\u202c \u2066x [a](javascript:window.ran=1) `b` | c |\n"
    "{{ 7*7 }} {% raw %} ${window.ran=1} \\u003c \x1b[31m 🦄"
)


def mapped(count: int = 6, names: tuple[str, ...] = ("residual", "residual:denoising")) -> Run:
    """A run whose prompts have maps, of five to seven tokens."""
    run = run_of(count)
    grid = replace(run.grid, maps=names)
    records = []
    for at, one in enumerate(run.records):
        tokens = (*one.tokens, *["more"] * (at % 3))
        rng = np.random.default_rng(at)
        maps = rng.random((len(names), 1, len(tokens), LAYERS), dtype=np.float32)
        maps *= np.float32(0.69)
        maps[:, :, : one.subject_span[0]] = 0.0
        ids = tuple(range(len(tokens)))
        records.append(replace(one, grid=grid, tokens=tokens, token_ids=ids, maps=maps))
    settings = replace(run.settings, maps=("residual",), direction="both")
    return replace(run, grid=grid, records=records, settings=settings)


def hostile() -> Run:
    """A run with hostile text wherever there is text."""
    fields = {
        "text": f"a {EVIL} b", "subject": EVIL, "relation": EVIL, "answers": (EVIL,),
        "tokens": (EVIL, "a", EVIL, "b", EVIL), "prediction": EVIL, "answer": EVIL,
        "flags": (EVIL,), "source": {"kind": "swap", "id": EVIL, "subject": EVIL, "text": EVIL},
    }  # fmt: skip
    run = run_of(3)
    grid, maps = replace(run.grid, maps=("residual",)), np.full((1, 1, 5, LAYERS), 0.25, np.float32)
    records = [record(at, grid=grid, id=f"{at}{EVIL}", maps=maps, **fields) for at in range(3)]
    return replace(
        run,
        grid=grid,
        records=records,
        model={**run.model, "name": EVIL, "quantization": EVIL},
        data={**run.data, "file": EVIL},
        versions={EVIL: EVIL},
        settings=Settings(prompt_template=f"{{prompt}}{EVIL}"),
        skipped=[replace(run.skipped[0], id=EVIL, reason=EVIL)],
        failed=[replace(run.skipped[0], id=f"f{EVIL}", reason=EVIL)],
    )


def halve(document: Document, prompt: int, cell: int, metric: str = "jsd") -> None:
    """Halve one cell of one prompt, counted from the first row's first layer."""
    grid = document["shown"]["grid"]
    shape = len(document["prompts"]), len(grid["rows"]), len(grid["only"] or range(grid["layers"]))
    levels = unpacked_levels(document["cells"][metric], shape)
    levels[prompt].reshape(-1)[cell] //= 2
    document["cells"][metric] = packed_levels(levels)


def document_in(path: Path) -> Document:
    """What a report holds."""
    data = path.read_bytes().partition(DATA_BEGINS)[2].partition(DATA_ENDS)[0]
    found: Document = json.loads(data)
    return found


def edit(path: Path, change: Change) -> None:
    """Change the data alone."""
    content, document = path.read_bytes(), document_in(path)
    before = content.partition(DATA_BEGINS)[2].partition(DATA_ENDS)[0]
    change(document)
    path.write_bytes(content.replace(before, data_of(document)))


def sealed(path: Path, change: Change) -> None:
    """Change the data, and write the hash that they have now, and the page around them."""
    document = document_in(path)
    change(document)
    path.write_bytes(page_around(data_of(document), document))


def forge(path: Path, change: Change) -> None:
    """Change the data, and all that follows from them: nothing is left but to measure again."""

    def with_all(document: Document) -> None:
        change(document)
        document["shown"] = shown(_run_of(document)[0])

    sealed(path, with_all)
