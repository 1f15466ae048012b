"""How a report is written: what says the same as Markdown and as LaTeX."""

import re
from collections.abc import Sequence

from mlxjsd.text import clean, plain

Cells = tuple[str, ...]

#: What ends a cell, unless a backslash of its own is in front.
_PIPE = re.compile(r"(\\*)\|")


def markdown_table(header: Cells, rows: Sequence[Cells]) -> str:
    """Return a Markdown table; a pipe in a cell is one, and does not end it."""
    lines = [header, (":---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, cells)) + " |" for cells in lines)


def _cell(text: str) -> str:
    """Escape the pipes of a cell that are not escaped yet: after an odd number of backslashes."""
    return _PIPE.sub(lambda m: m[0] if len(m[1]) % 2 else f"{m[1]}\\|", text)


class Markdown:
    """Sentences are Markdown already; texts from elsewhere are made harmless one by one."""

    def foreign(self, text: str) -> str:
        """Return a text that stands in a sentence or a cell, and may hold anything."""
        return plain(text)

    def sentences(self, text: str) -> str:
        """Return a paragraph."""
        return text

    def listed(self, sentences: Sequence[str]) -> str:
        """Return a list of paragraphs."""
        return "\n".join(f"- {self.sentences(sentence)}" for sentence in sentences)

    def title(self, text: str, level: int) -> str:
        """Return a heading, 1 for the first level."""
        return f"{'#' * level} {plain(text)}"

    def table(self, header: Cells, rows: Sequence[Cells], strong: bool = False) -> str:
        """Return a table; ``strong`` sets its first column in bold type."""
        if strong:
            rows = [(f"**{first}**", *others) for first, *others in rows]
        return markdown_table(header, rows)


class LaTeX(Markdown):
    """A part of a document that uses booktabs; every text is escaped as a whole."""

    def foreign(self, text: str) -> str:
        """Return the text as it is: what it stands in is escaped."""
        return clean(text)

    def sentences(self, text: str) -> str:
        """Return a paragraph; what stands between backticks is code."""
        parts = text.split("`")
        return "".join(
            rf"\texttt{{{escaped(part)}}}" if at % 2 else escaped(part)
            for at, part in enumerate(parts)
        )

    def listed(self, sentences: Sequence[str]) -> str:
        """Return a list of paragraphs."""
        items = [rf"\item {self.sentences(sentence)}" for sentence in sentences]
        return "\n".join([r"\begin{itemize}", *items, r"\end{itemize}"])

    def title(self, text: str, level: int) -> str:
        """Return a heading, 1 for a paragraph of its own."""
        return rf"\paragraph{{{escaped(text)}}}"

    def table(self, header: Cells, rows: Sequence[Cells], strong: bool = False) -> str:
        """Return a table."""
        head, *body = [_line(header), *(_line(row, strong) for row in rows)]
        begin = [r"\begin{center}\footnotesize", rf"\begin{{tabular}}{{{'l' * len(header)}}}"]
        end = [r"\bottomrule", r"\end{tabular}", r"\end{center}"]
        return "\n".join([*begin, r"\toprule", head, r"\midrule", *body, *end])


def _line(cells: Cells, strong: bool = False) -> str:
    first, *others = map(escaped, cells)
    first = rf"\textbf{{{first}}}" if strong else first
    return " & ".join([first, *others]) + r" \\"


#: What LaTeX reads as something else.
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "-": "{-}",
    "'": "{'}",
    "`": r"\textasciigrave{}",
    '"': r"\textquotedbl{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
_SPECIAL = re.compile("[" + re.escape("".join(set(_LATEX) - set("-'"))) + "]|--+|''+")


def escaped(text: str) -> str:
    """Return text as one line of LaTeX that says just this: no command, formula or comment."""
    return _SPECIAL.sub(lambda m: "".join(_LATEX[sign] for sign in m[0]), clean(text))
