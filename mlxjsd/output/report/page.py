"""The one file: a document in a page that shows it, and that may ask nothing of anybody.

Of a text that came from elsewhere three things are made, and in each it stays text: HTML (escaped
by Jinja), Markdown (whose reader takes no HTML), and JSON in a block of data, in which no character
stands that could end the block. The page's scripts write texts with ``textContent`` alone. The
Content-Security-Policy names the hashes of the page's own scripts and styles, and nothing else.
"""

import base64
import hashlib
import json
import re
import shlex
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.output.colours import DIVERGING, SEQUENTIAL, hex_of, ramp
from mlxjsd.output.report.document import Document
from mlxjsd.output.report.packing import unpacked_floats
from mlxjsd.settings import Settings
from mlxjsd.text import clean, size_of, tiny

#: Around the data, in the file; neither can stand in the data itself.
DATA_BEGINS = b'<script type="application/json" id="mlxjsd-data">'
DATA_ENDS = b"</script>"
#: In front of the data's hash, in the file.
SEAL_BEGINS = b'<meta name="mlxjsd-data-sha256" content="'

#: The page's own dark colour, a little lighter.
_DARK_PAGE = "1a2430"
_SCRIPTS = ("vega/vega.min.js", "vega/vega-interpreter.js")
_OWN = ("data.js", "heatmap.js", "prompts.js", "page.js")
#: The interpreter is published as a module; what it imports, Vega has.
_MODULE = re.compile(
    r"import (?P<taken>\{[\w, ]+\}) from 'vega-util';\n(?P<body>.*)\n"
    r"export \{ (?P<own>\w+) as expressionInterpreter \};\s*(?://# .*)?\s*",
    re.DOTALL,
)


def data_of(document: Document) -> bytes:
    """Return a document as JSON without a character that means something in HTML."""
    written = json.dumps(document, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written.encode("ascii")


def page_of(document: Document) -> bytes:
    """Return the HTML file of a document: the same one for the same document, anywhere."""
    return page_around(data_of({**document, "page": page_version()}), document)


def page_around(data: bytes, document: Document) -> bytes:
    """Return the HTML file of a document whose data are written already."""
    scripts = [*_library(), _own_script()]
    style = _read("page.css")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"script-src {' '.join(map(_source, scripts))}; style-src {_source(style)}; "
        # Vega sets attributes of style on what it draws; with the above, none can ask for anything.
        "style-src-attr 'unsafe-inline'"
    )
    said = _environment().from_string(_read("page.html")).render(
        policy=policy,
        style=Markup(style),  # noqa: S704 - a file of our own
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        data=Markup(data.decode("ascii")),  # noqa: S704 - see data_of
        sha256=hashlib.sha256(data).hexdigest(),
        document=document,
        shown=document["shown"],
        version=version("mlxjsd"),
        size=size_of(len(data)),
        **_of_kind(document),
    )  # fmt: skip
    return said.encode()


@lru_cache
def page_version() -> str:
    """Return a hash of all that makes a page, and of the version whose sentences are in it."""
    parts = [version("mlxjsd"), _read("page.html"), _read("page.css"), _own_script(), *_library()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _of_kind(document: Document) -> dict[str, Any]:
    first = document["shown"]["metrics"][0]["key"]
    pictures = document["shown"]["views"][first]["all"]
    grid = document["shown"]["grid"]
    found = {
        "table": _table(pictures[0], grid) if len(pictures) == 1 else None,
        "metric": document["shown"]["metrics"][0],
    }
    if document["kind"] != "run":
        return found | {"title": document["title"], "facts": [], "subtitle": ""}
    header, settings = document["header"], Settings.from_json(document["header"]["settings"])
    return found | {
        "title": header["model"]["name"],
        "subtitle": _subtitle(document, settings),
        "facts": _facts(document),
        "changed": settings.changed(),
        "command": _command(header["model"]),
    }


def _subtitle(document: Document, settings: Settings) -> str:
    header = document["header"]
    title = CORRUPTIONS[settings.corruption].title.format(level=settings.noise_level)
    corruption = title.replace("$\\sigma$", "σ")
    samples = f" × {settings.samples}" if settings.samples > 1 else ""
    return (
        f"{len(document['prompts']):,} of {header['total']:,} prompts of {header['data']['file']}, "
        f"{corruption}{samples}, {settings.described}"
    )


def _facts(document: Document) -> list[tuple[str, str, str]]:
    """Return what is true of the whole run: name, number, and what it means."""
    shown, header = document["shown"], document["header"]
    grid = shown["grid"]
    shape = (len(header["metrics"]), len(grid["whole"]))
    at = header["metrics"].index("jsd")
    wholes = [unpacked_floats(prompt["whole"], shape)[at] for prompt in document["prompts"]]
    numbers = np.array(wholes, np.float64).reshape(-1, len(grid["whole"]))
    facts = []
    for key, name, column in zip(grid["whole"], grid["whole_labels"], numbers.T, strict=True):
        known = column[np.isfinite(column)]
        if key == "floor":
            most = header["floor_limit"]
            limit = "" if most is None else f"; {most:.0e} is allowed"
            facts.append((name, tiny(shown["floor"]), f"nats at the most{limit}"))
        elif known.size:
            facts.append((name, f"{known.mean():.3f}", f"nats, mean of {known.size:,} prompts"))
    if shown["threshold"] is not None:
        facts.append(("Reliance threshold", f"{shown['threshold']:.3f}", "nats, between AH and UH"))
    return facts


def _table(panel: dict[str, Any], grid: dict[str, Any]) -> list[tuple[int, list[str]]]:
    """Return the lines of the table behind the first picture: a layer and its cells."""
    shape = (len(grid["rows"]), grid["layers"])
    mean = unpacked_floats(panel["mean"], shape)
    ends = [panel[end] and unpacked_floats(panel[end], shape) for end in ("low", "high")] \
        if panel["low"] else None  # fmt: skip
    lines = []
    for layer in grid["only"] or range(grid["layers"]):
        cells = []
        for row in range(shape[0]):
            if not np.isfinite(mean[row, layer]):
                cells.append("n/a")
                continue
            said = f"{mean[row, layer]:.4f}"
            if ends is not None and np.isfinite(ends[0][row, layer]):
                said += f" ({ends[0][row, layer]:.4f} to {ends[1][row, layer]:.4f})"
            cells.append(said)
        lines.append((layer, cells))
    return lines


def _command(model: dict[str, Any]) -> str:
    """Return what to type to measure again; a name is quoted for the shell."""
    name = clean(str(model["name"]))
    given = "" if name == "bundled" else f" --model {shlex.quote(name)}"
    return f"mlxjsd verify report.html{given}"


def _source(content: str) -> str:
    """Return the name that a Content-Security-Policy has for a script or a style."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@lru_cache
def _read(name: str) -> str:
    return files("mlxjsd.output.report").joinpath("page").joinpath(name).read_text(encoding="utf-8")


@lru_cache
def _library() -> tuple[str, str]:
    vega, interpreter = map(_read, _SCRIPTS)
    module = _MODULE.fullmatch(interpreter)
    if module is None:
        raise ValueError("another vega-interpreter: see page/vega/README.md")
    # A function's own scope, so that its names are nobody else's.
    return vega, (
        f"const vegaInterpreter = (() => {{\nconst {module['taken']} = vega;\n{module['body']}\n"
        f"return {{ expressionInterpreter: {module['own']} }};\n}})();\n"
    )


@lru_cache
def _own_script() -> str:
    colours = {
        "light": {"sequential": _ramp(SEQUENTIAL), "diverging": _ramp(DIVERGING)},
        "dark": {"sequential": _on_dark(_ramp(f"{SEQUENTIAL}_r")), "diverging": _ramp(DIVERGING)},
    }
    parts = [f"const COLOURS = {json.dumps(colours)};", *map(_read, _OWN)]
    return '"use strict";\n(async () => {\n' + "\n".join(parts) + "\n})();\n"


def _ramp(name: str) -> list[str]:
    return [hex_of(colour) for colour in ramp(name)]


def _on_dark(colours: list[str]) -> list[str]:
    """Let the low end of a map fade into a dark page, as it does into a white one."""
    fading = len(colours) // 3
    page = np.array([*bytes.fromhex(_DARK_PAGE)])
    found = list(colours)
    for at in range(fading):
        share = 0.9 * (1 - at / fading)
        own = np.array([*bytes.fromhex(colours[at][1:])])
        red, green, blue = (int(n) for n in np.rint(share * page + (1 - share) * own))
        found[at] = hex_of((red, green, blue))
    return found


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["clean"] = lambda value: clean(str(value))
    environment.filters["capitalize_first"] = lambda value: value[:1].upper() + value[1:]
    environment.filters["markdown"] = _markdown
    return environment


def _markdown(text: str) -> Markup:
    """Return Markdown as HTML; what looks like HTML in it is text, and nothing in it is a link."""
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table")
    reader.disable(["link", "image", "autolink", "reference"])
    # A wide table is scrolled by itself. These tags are the reader's: those of a text are escaped.
    lines = "\n".join(map(clean, text.split("\n")))
    said = reader.render(lines).replace("<table>", '<div class="wide"><table>')
    return Markup(said.replace("</table>", "</table></div>"))  # noqa: S704 - made by a reader that escapes all texts
