"""What `mlxjsd ask` prints: one sentence, from its tokens to its reading, as Rich renderables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.analysis.token_map import SUBJECT_MARK, token_map
from mlxjsd.asked import Asked
from mlxjsd.maps import label as map_label
from mlxjsd.maps import map_of
from mlxjsd.metrics import JSD, described
from mlxjsd.output.terminal import heatmap_text, number
from mlxjsd.output.xterm import TRUECOLOUR
from mlxjsd.records import Record
from mlxjsd.text import clean, tiny

#: What the runs of a sentence are called.
RUN_NAMES = {"clean": "clean", "corrupted": "corrupted", "hidden": "subject hidden"}
_SUBJECT, _EDGE = "bold white on #2171b5", "dim"
_BAR = 5
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def asked_text(asked: Asked, width: int, colours: int = TRUECOLOUR) -> RenderableType:
    """Return what is printed of a sentence, in ``width`` columns.

    Args:
        asked: the sentence.
        width: of the terminal.
        colours: how many it has; 0 where none can be seen.
    """
    run, record = asked.run, asked.record
    about = f"{run.model['name']} ({run.model['family']}, {run.layers} layers)"
    parts: list[RenderableType] = [
        Text(clean(about), "bold"),
        Text(f"{clean(asked.corrupted_by)}; {run.settings.described}", _EDGE),
        Text(),
        tokens_text(record.tokens, record.subject_span, width, colours > 0),
    ]
    if asked.against is not None:
        tokens = clean(asked.against)
        parts.append(Text(f"against: {tokens}", _EDGE))
    parts += [Text(), next_tokens_table(asked), Text(asked.prediction()), Text()]
    for metric in run.grid.metrics:
        parts += _pictures(asked, metric, width, colours)
    parts.append(Text(numbers_of(asked)))
    parts += [Text(clean(said)) for said in asked.sentences()[1:]]
    return Group(*parts)


def numbers_of(asked: Asked) -> str:
    """Return the numbers that reach through the whole model, as a sentence without its stop."""
    return (
        f"Total effect {number(asked.total_effect)}, reliance {number(asked.reliance)}, "
        f"noise floor {tiny(asked.floor)} {JSD.unit}"
    )


def tokens_text(
    tokens: Sequence[str], span: tuple[int, int], width: int, coloured: bool, numbered: bool = False
) -> Text:
    """Return tokens in lines of at most ``width`` columns, those of the subject marked.

    Args:
        tokens: the text of each.
        span: tokens [start, end) of the subject.
        width: in columns.
        coloured: whether colours can be seen; otherwise the subject stands in brackets.
        numbered: whether each has its number in front.
    """
    text, used = Text(), 0
    start, end = span
    for at, token in enumerate(tokens):
        inside = start <= at < end
        said = clean(token) if token.strip() else repr(clean(token))
        if inside and not coloured:
            said = f"{'[' * (at == start)}{said}{']' * (at == end - 1)}"
        before = f"{at} " if numbered else ""
        wide = cell_len(before) + cell_len(said) + 1
        if used and used + wide > width:
            text.append("\n")
            used = 0
        elif at:
            text.append("|", _EDGE)
        text.append(before, _EDGE).append(said, _SUBJECT if inside and coloured else "")
        used += wide
    return text


def next_tokens_table(asked: Asked) -> Table:
    """Return the likeliest next tokens of each run, with their probabilities."""
    table = Table(box=None, padding=(0, 1, 0, 0), expand=False)
    for each in asked.next_tokens:
        table.add_column(f"{RUN_NAMES[each.run]}", no_wrap=True, overflow="ellipsis", max_width=14)
        table.add_column("", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True, width=_BAR)
    predicted = asked.next_tokens[0].ids[0]
    for at in range(len(asked.next_tokens[0].tokens)):
        cells: list[RenderableType] = []
        for each in asked.next_tokens:
            share, style = each.probabilities[at], "bold" if each.ids[at] == predicted else ""
            cells += [Text(clean(each.tokens[at]), style), Text(f"{share:.1%}", style), _bar(share)]
        table.add_row(*cells)
    return table


def _bar(share: float) -> Text:
    whole, rest = divmod(round(share * _BAR * 8), 8)
    return Text("█" * whole + _EIGHTHS[rest].strip(), "#4292c6")


def map_heatmaps(record: Record, metric: str = JSD.key) -> Iterator[tuple[str, Heatmap]]:
    """Yield what each map shows, and its rows from the subject on; all before it is 0."""
    start = record.subject_span[0]
    for name in record.grid.maps:
        found = token_map(record, name, metric)
        what = "state exchanged after" if map_of(name).part is None else "output exchanged around"
        shown = replace(
            found,
            mean=found.mean[start:],
            error=found.error[start:],
            rows=found.rows[start:],
            names=found.labels[start:],
        )
        yield f"{map_label(name)}: one token's {what} each layer", shown


def _pictures(asked: Asked, metric: str, width: int, colours: int) -> Iterator[RenderableType]:
    """Yield the rows and the maps of one metric, on one scale."""
    rows, maps = asked.heatmap(metric), dict(map_heatmaps(asked.record, metric))
    scale = scale_of([rows, *maps.values()])
    if asked.run.grid.metrics != (JSD.key,):
        yield Text(described(metric).label, "bold")
    yield heatmap_text(rows, width, colours, scale)
    yield Text()
    for name, heatmap in maps.items():
        said = (
            f"{clean(name)}: one token's state exchanged after each layer; {SUBJECT_MARK} subject"
        )
        yield Text(said, "bold")
        yield heatmap_text(heatmap, width, colours, scale)
        yield Text()
