"""What a notebook shows of a run, a prompt, a sentence and the like: a picture, and a table."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from mlxjsd.analysis.compare import Comparison, comparison_lines
from mlxjsd.analysis.heatmap import Heatmap, aggregate
from mlxjsd.analysis.token_map import token_name
from mlxjsd.asked import Asked
from mlxjsd.output.asked_figure import plot_asked
from mlxjsd.output.asked_text import RUN_NAMES, numbers_of
from mlxjsd.output.figure import plot_comparison, plot_heatmap, plot_run, title_of
from mlxjsd.output.marks import left_out_note
from mlxjsd.output.page import Page
from mlxjsd.output.plain_matplotlib import Figure, as_bytes
from mlxjsd.records import Record
from mlxjsd.results import Run
from mlxjsd.row_names import label
from mlxjsd.text import clean, tiny

#: Pixels of an inch in a page, and of the pictures: screens show two for one.
_PAGE, _PICTURE = 96, 192

Thing = Run | Heatmap | Record | Comparison | Asked


@dataclass(frozen=True)
class _Shown:
    """What is shown of a thing."""

    figure: Figure
    said: str
    """Above the picture, as HTML."""
    header: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]
    """What the picture shows, as a table for who cannot see it."""
    notes: str = ""
    """Below, as HTML."""


def png_of(thing: Thing) -> bytes:
    """Return the picture of a thing."""
    return as_bytes(_shown(thing).figure, "png", _PAGE)


def html_of(thing: Thing) -> str:
    """Return the picture of a thing with its numbers, as HTML without a script or a style sheet."""
    shown = _shown(thing)
    picture = b64encode(as_bytes(shown.figure, "png", _PICTURE)).decode()
    width, height = (round(inches * _PAGE) for inches in shown.figure.get_size_inches())
    head = "".join(f"<th scope='col'>{_text(name)}</th>" for name in shown.header)
    body = "".join(
        "<tr>" + f"<th scope='row'>{_text(first)}</th>"
        + "".join(f"<td>{_text(cell)}</td>" for cell in others) + "</tr>"
        for first, *others in shown.lines
    )  # fmt: skip
    return (
        f"<div><p>{shown.said}</p>"
        f"<img src='data:image/png;base64,{picture}' width='{width}' height='{height}' "
        "style='max-width: 100%; height: auto' alt='heatmap; its numbers are in the table below'>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        + (f"<p>{shown.notes}</p>" if shown.notes else "")
        + "</div>"
    )


def _shown(thing: Thing) -> _Shown:
    page = Page(title=False)
    if isinstance(thing, Run):
        heatmap = thing.heatmap()
        said = f"<b>{_text(str(thing.model['name']))}</b>, {len(thing.records)} of {thing.total} "
        said += "prompts" if thing.finished else "prompts so far"
        figure = plot_run(thing, page=page)
        how = title_of(thing, heatmap.count).split("    ")[-1].replace(r"$\sigma$", "σ")
        below = "; ".join([how, f"noise floor {tiny(thing.floor)} nats", *_counts(thing)])
        return _Shown(figure, said, *_peaks(heatmap), _text(below))
    if isinstance(thing, Heatmap):
        said = f"{_text(thing.described.label)}, mean of {thing.count} prompts"
        notes = _text(left_out_note(thing))
        return _Shown(plot_heatmap(thing, page=page), said, *_peaks(thing), notes)
    if isinstance(thing, Asked):
        return _sentence(thing, page)
    if isinstance(thing, Record):
        heatmap = aggregate([thing], thing.grid)
        notes = f"predicts <b>{_text(thing.prediction)}</b> with {thing.probability:.1%}"
        if thing.answer is not None:
            notes += f"; answers <i>{_text(thing.answer)}</i>"
        if thing.answers:
            notes += f"; expected: {_text(', '.join(thing.answers))}"
        return _Shown(plot_heatmap(heatmap, page=page), _marked(thing), *_peaks(heatmap), notes)
    said = f"A: {_text(thing.a.name)}<br>B: {_text(thing.b.name)}"
    unit = thing.a.described.unit
    header = ("Row", "Rank correlation", f"Mean |difference|{f' ({unit})' if unit else ''}",
              "Layers", "High in A / B", "Agree")  # fmt: skip
    return _Shown(plot_comparison(thing), said, header, comparison_lines(thing))


def _sentence(asked: Asked, page: Page) -> _Shown:
    """Return one sentence: its page, and the likeliest next tokens of each run."""
    said = _marked(asked.record)
    if asked.against is not None:
        said += f"<br>against: {_text(asked.against)}"
    header = tuple(f"Next token, {RUN_NAMES[each.run]}" for each in asked.next_tokens)
    lines = [
        tuple(
            f"{token_name(each.tokens[at])} {each.probabilities[at]:.1%}"
            for each in asked.next_tokens
        )
        for at in range(len(asked.next_tokens[0].tokens))
    ]
    notes = "<br>".join(map(_text, [f"{numbers_of(asked)}.", *asked.sentences()]))
    return _Shown(plot_asked(asked, page=page, note=False), said, header, lines, notes)


def _peaks(heatmap: Heatmap) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the header and the lines of the table of peaks."""
    unit = heatmap.described.unit
    lines: list[tuple[str, ...]]
    lines = [(label(p.row), f"{p.value:.3f}", str(p.layer)) for p in heatmap.peaks()]
    return ("Row", f"Peak{f' ({unit})' if unit else ''}", "at layer"), lines


def _counts(run: Run) -> list[str]:
    labels = run.labels()
    return [f"{labels.count(name)} {name}" for name in labels.present()]


def _marked(record: Record) -> str:
    """Return the prompt with its subject in bold type: of several places, that of its tokens."""
    text, subject = record.text, record.subject
    near = len("".join(record.tokens[: record.subject_span[0]]))
    places = [n for n in range(len(text)) if text.startswith(subject, n)]
    if not subject or not places:
        return _text(text)
    at = min(places, key=lambda place: abs(place - near))
    after = at + len(subject)
    return f"{_text(text[:at])}<b>{_text(subject)}</b>{_text(text[after:])}"


def _text(text: str) -> str:
    """Return text as HTML that says just this."""
    return escape(clean(text))
