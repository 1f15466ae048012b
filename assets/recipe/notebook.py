"""The quickstart notebook: written here, run, and kept with what it showed.

    python -m mlxjsd.assets.recipe.notebook [FILE]

Writes ``assets/quickstart.ipynb`` of this checkout, or FILE. It takes the bundled model alone, and
needs ``pip install 'mlxjsd[dev]'``.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from mlxjsd.assets import MODEL

QUICKSTART = MODEL.parent / "quickstart.ipynb"

#: Texts and code in turn, each as a cell; a text begins with a sharp or a letter.
CELLS: tuple[tuple[str, str], ...] = (
    (
        "text",
        "# mlxjsd in a notebook\n\n"
        "Where does a language model keep what it knows, and where does it move it? This notebook "
        "measures the small model that comes with mlxjsd. It needs no download and no GPU. "
        "(`pip install 'mlxjsd[tables]' jupyterlab`, from a checkout `pip install '.[tables]' "
        "jupyterlab`.)\n\n"
        "## One sentence",
    ),
    (
        "code",
        "import mlxjsd\n\n"
        "model = mlxjsd.load_model()  # or a folder, or a Hub repository\n"
        'mlxjsd.ask(model, "The capital of [France] is")',
    ),
    (
        "text",
        "Brackets mark the subject. It was corrupted with noise, and hidden from all tokens behind "
        "it: this is what came next each time, and where in the model it made the difference. "
        "`against=` takes another subject in place of noise:",
    ),
    (
        "code",
        'asked = mlxjsd.ask(model, "The capital of [France] is", '
        'against="The capital of [Norway] is")\n'
        "asked.reading()",
    ),
    (
        "text",
        "## Many prompts\n\n"
        "One prompt is one prompt. A run measures many, and a bar shows how far it is. `progress=` "
        "takes a function instead, or `False`.",
    ),
    (
        "code",
        "from mlxjsd.assets import PROMPTS\n\n"
        "prompts = mlxjsd.read_prompts(PROMPTS)\n"
        "plan = mlxjsd.plan_run(model, prompts, sample=60)",
    ),
    ("code", "run = mlxjsd.measure(plan)"),
    (
        "text",
        "A run shows itself: the average heatmap, the peak of each row, and how the answers were "
        "classified.",
    ),
    ("code", "run"),
    (
        "text",
        "Dark means that the change at this layer matters. The subject carries the answer in the "
        "early layers, attention moves it to the last token in the middle, and there it stays.\n\n"
        "## One prompt",
    ),
    ("code", "run.records[0]"),
    (
        "text",
        "## By kind of answer\n\n"
        "Answers are right (factual associations), wrong and leaning on the subject (associated "
        "hallucinations), or made up without it (unassociated ones).",
    ),
    (
        "code",
        'groups = run.heatmap(by="category")\nmlxjsd.plot_groups(groups, page=mlxjsd.Page(9))',
    ),
    ("code", 'groups["Factual associations"]'),
    ("text", "Means as lines, in bands of their 95 % intervals over prompts:"),
    ("code", "mlxjsd.plot_lines(run)"),
    (
        "text",
        "## Axes of your own\n\n"
        "`ax=` draws into a figure that you have, with its letters and its size.",
    ),
    (
        "code",
        "%matplotlib inline\n"
        "import matplotlib.pyplot as plt\n\n"
        'figure, (above, below) = plt.subplots(2, figsize=(7, 4), layout="constrained")\n'
        "mlxjsd.plot_run(run, ax=above)\n"
        'below.hist(run.numbers("reliance"), bins=20, color="#4292c6")\n'
        'below.set(xlabel="Reliance (nats)", ylabel="Prompts")\n'
        "plt.show()",
    ),
    (
        "text",
        "## Tables\n\n"
        "`to_arrow`, `to_pandas` and `to_polars` give a row for each prompt, row of the heatmap "
        'and layer. `mlxjsd.export_run(run, "run.parquet")` writes the same to a file.',
    ),
    (
        "code",
        "table = run.to_pandas()\n"
        'means = table.dropna(subset="layer").groupby(["category", "row", "layer"], '
        "observed=True).jsd.mean()\n"
        'means.unstack("category").loc["attn"].loc[12:20].round(3)',
    ),
    (
        "code",
        "import polars as pl\n\n"
        'run.to_polars().filter(pl.col("layer") == 16).group_by("row").agg('
        'pl.col("jsd").mean()).sort("jsd")',
    ),
    (
        "text",
        "## Compare\n\nWith another run, or with a published figure. The depths may differ.",
    ),
    ("code", 'mlxjsd.compare(run, "llama-3-8b-fa", category="FA")'),
    (
        "text",
        "## Keep it\n\n"
        "`run_experiment` measures into a folder batch by batch, and goes on where it stopped. "
        "Here with a function that is told after each batch.",
    ),
    (
        "code",
        "import tempfile\n\n"
        "folder = tempfile.mkdtemp()\n"
        "few = mlxjsd.plan_run(model, prompts, limit=6, batch_size=2)\n"
        "done = []\n"
        "for _ in mlxjsd.run_experiment(few, folder, progress=lambda b: done.append(b.done)):\n"
        "    pass\n"
        "print(done, mlxjsd.read_run(folder))",
    ),
)


def written() -> Any:
    """Return the notebook, before it is run."""
    make = {"text": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    cells = [make[kind](source, id=f"cell-{n}") for n, (kind, source) in enumerate(CELLS)]
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=about)


def executed(seconds: int = 300) -> Any:
    """Return the notebook with what it shows.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    notebook = written()
    client = NotebookClient(notebook, timeout=seconds, kernel_name="python3")
    asyncio.run(client.async_execute())
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when, which says nothing
        if "outputs" in cell:
            cell.outputs = _in_the_end(cell.outputs)
    notebook.metadata.pop("language_info", None)  # of whichever Python it was
    return notebook


def _in_the_end(outputs: list[Any]) -> list[Any]:
    """Return what a cell shows once it is done: of a bar of letters its last state, and none of
    the warnings that there are no widgets, which name folders of this machine."""
    talk = [output for output in outputs if output.get("name") == "stderr"]
    bars = [part.rstrip() for output in talk for part in output.text.split("\r")
            if part.startswith("measuring")]  # fmt: skip
    kept = [output for output in outputs if output not in talk]
    if bars:
        kept.insert(0, nbformat.v4.new_output("stream", name="stderr", text=f"{bars[-1]}\n"))
    return kept


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=QUICKSTART)
    nbformat.write(executed(), parser.parse_args().file)


if __name__ == "__main__":
    main()
