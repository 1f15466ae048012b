"""Reports as Markdown and as LaTeX: whatever a text holds, it is a text."""

import re

import pytest
from commands import call
from controlled import controlled
from records import record, run_of

from mlxjsd.analysis.compare import compare
from mlxjsd.analysis.effects import Effect
from mlxjsd.output.markdown import compared, panel_of, report
from mlxjsd.output.writing import LaTeX, escaped, markdown_table
from mlxjsd.results import Run

HOSTILE = r"a|b_c&d$x^2$ 50% #1 {y}~\input{z} --- `` <t> [q]"


def cells(line: str) -> list[str]:
    """The cells of a line, as GitHub reads them."""
    return [part.strip() for part in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("a|b", r"a\|b"),
        (r"a\|b", r"a\|b"),
        (r"a\\|b", r"a\\\|b"),
        ("|x|", r"\|x\|"),
        ("none", "none"),
    ],
)
def test_a_pipe_in_a_cell_ends_it_not(cell: str, written: str) -> None:
    table = markdown_table(("A", "B"), [(cell, "2")])
    assert table.splitlines()[-1] == f"| {written} | 2 |"


def test_every_line_of_a_comparison_has_as_many_cells() -> None:
    run = run_of()
    table = compared(compare(panel_of(run), panel_of(run))).split("\n\n")[-1].splitlines()
    assert [len(cells(line)) for line in table] == [6] * 5
    assert cells(table[0])[2] == r"Mean \|difference\| (nats)"


def hostile() -> Run:
    model = {"name": HOSTILE, "family": "llama", "sha256": "aa"}
    return run_of(model=model, records=[record(n, relation=HOSTILE) for n in range(4)])


def test_a_hostile_name_is_a_text_in_latex() -> None:
    said = escaped(HOSTILE)
    assert said == (
        r"a\textbar{}b\_c\&d\$x\textasciicircum{}2\$ 50\% \#1 \{y\}\textasciitilde{}"
        r"\textbackslash{}input\{z\} {-}{-}{-} \textasciigrave{}\textasciigrave{} "
        r"\textless{}t\textgreater{} {[}q{]}"
    )
    for by in (None, "relation"):
        written = report(hostile(), by, write=LaTeX())
        assert rf"\paragraph{{{said}, 4 of 4 prompts}}" in written
        assert r"\input" not in written
    assert rf"\paragraph{{{said}, n = 4}}" in written


def test_latex_says_what_markdown_says() -> None:
    run = run_of()
    marked, written = report(run), report(run, write=LaTeX())
    assert written.count(r"\begin{tabular}") == written.count(r"\end{tabular}") == 2
    for row in (r"\textbf{Subj.}", r"\textbf{Attn.}", r"\textbf{Last.}"):
        (line,) = [line for line in written.splitlines() if line.startswith(row)]
        others = next(one for one in marked.splitlines() if f"**{row[8:-1]}**" in one)
        assert line == " & ".join([row, *cells(others)[1:]]) + r" \\"
    for line in written.splitlines():
        if line.endswith(r"\\"):
            assert line.count(" & ") in (2, 3)
    last = marked.split("\n\n")[-1].replace("%", r"\%")
    begin, *items, end = written.split("\n\n")[-1].splitlines()
    assert (begin, end) == (r"\begin{itemize}", r"\end{itemize}")
    assert items == [rf"\item {line.removeprefix('- ')}" for line in last.splitlines()]


def test_latex_says_what_is_sure_of_effects() -> None:
    of = {"metric": "logit_diff", "effect": Effect("normalised")}
    said = report(controlled(), "category", write=LaTeX(), **of)
    assert r"\paragraph{Between groups}" in said
    assert said.count(r"\begin{itemize}") == said.count(r"\end{itemize}") == 3
    assert r"q \textless{} 0.05" in said
    assert r"see {-}{-}least-total." in said
    assert "<" not in said
    assert "Peak Normalised Logit Difference (of the total effect)" in said


def test_code_is_set_as_code() -> None:
    assert LaTeX().sentences("see `mlxjsd check` & go") == r"see \texttt{mlxjsd check} \& go"


def test_the_command_writes_latex(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlxjsd.store.reader.read_run", lambda folder: run_of())
    assert call("summary", "run", "--latex", "--by", "category") == 0
    assert r"\toprule" in capsys.readouterr().out
