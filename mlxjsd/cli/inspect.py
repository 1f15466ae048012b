"""The commands that look at what could be measured: prompts, models."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mlxjsd.cli import options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, has_colour
from mlxjsd.model.hub import KnownModel
from mlxjsd.text import clean, size_of

#: Prompts that are listed on a terminal.
SHOWN = 1000


@app.command(short_help="Show which tokens of each prompt are its subject's.")
def prompts(
    data: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file or folder of prompts, or hf:OWNER/NAME.")
    ],
    model: options.Model = None,
    format: options.Format = None,
    fields: options.Fields = None,
    prompt_template: options.PromptTemplate = None,
    chat: options.Chat = False,
    limit: options.Limit = None,
    revision: options.Revision = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Show which tokens of each prompt are its subject's, and what would be skipped.

    Only the model's tokenizer is loaded, never from the network.
    """
    from mlxjsd.output.preview import SeenTally, look_at, seen_lines, seen_text
    from mlxjsd.prompts.read import read_prompts
    from mlxjsd.settings import check_template

    if prompt_template is not None:
        check_template(prompt_template)
    found = read_prompts(data, format, fields)

    from mlxjsd.model.load import load_encoder

    encoder = load_encoder(model, revision, trust_remote_code)
    console, tally = console_for(), SeenTally(encoder.puts_in_front)
    coloured, rest = has_colour(console), 0
    # Nobody reads more on a terminal; a file or a pager gets all.
    most = SHOWN if console.is_terminal else len(found.prompts)
    for place, seen in enumerate(
        tally.passing(look_at(found, encoder, prompt_template, chat, limit))
    ):
        if place >= most:
            rest += 1
        # Lines are left whole: where one breaks, a token's space would be lost.
        elif coloured:
            console.print(seen_text(seen), soft_wrap=True)
        else:
            print(seen_lines(seen))
    console.print()
    if rest:
        print(f"{rest} more prompts are not listed; send the output to a file or a pager for all.")
    for line in (*tally.lines(), *found.described()):
        print(line)


@app.command(short_help="List the models that can be measured.")
def models() -> None:
    """List the models that can be measured: size, layers, family, and whether they are here."""
    from mlxjsd.model.hub import broken_models, known_models
    from mlxjsd.model.load import reads_family

    found = known_models()
    usable = [model for model in found if model.family and reads_family(model.family)]
    for line in model_lines(usable):
        print(line)
    if not any(model.here for model in usable):
        print(
            "no model that can be measured is on this machine but the bundled one; "
            "`mlxjsd run --model` downloads the one that it is given",
            file=sys.stderr,
        )
    if others := sorted({str(m.family) for m in found if m not in usable}):
        text = f"{len(found) - len(usable)} others are of no family that MLX-LM reads"
        print(f"{text}: {clean(', '.join(others))}", file=sys.stderr)
    for name in broken_models():
        text = "is in the cache, with a link in it that leads nowhere; download it again"
        print(f"{clean(name)} {text}", file=sys.stderr)


def model_lines(models: Sequence[KnownModel]) -> list[str]:
    """Return a line for each model: name, size, layers, family, and what else is known."""
    names = [clean(m.name + (f" --revision {m.revision}" if m.revision else "")) for m in models]
    width = max(map(len, names), default=0)
    return [
        f"{name:<{width}}  {size_of(model.size):>7}  {model.layers or '?':>3} layers  "
        f"{clean(model.family or '?')}"
        + (f", {model.licence}" if model.licence else "")
        + ("" if model.here else ", not downloaded yet")
        for name, model in zip(names, models, strict=True)
    ]
