"""The options of the command line, each defined once for all commands that take it.

:class:`RunOptions` lists the options of a run. A new one is one more field there, named as in
:class:`mlxjsd.settings.Settings`, :class:`mlxjsd.settings.Labelling` or
:class:`mlxjsd.run.job.Job`: ``run`` and ``tui`` take it, typed, from a file and from a variable,
and the job gets it; see :mod:`mlxjsd.cli.run_options`.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from mlxjsd.cli import completion
from mlxjsd.cli.names import Names
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.errors import InputError
from mlxjsd.maps import MAPS
from mlxjsd.metrics import METRICS, TARGETS
from mlxjsd.model.packaged import PACKAGED
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.prompts.formats.guess import KEYS
from mlxjsd.ranges import parse_layers, parse_windows
from mlxjsd.row_names import DIRECTIONS
from mlxjsd.rows import ROWS, sets
from mlxjsd.run.job import Job
from mlxjsd.settings import MATCHES, Labelling, Settings
from mlxjsd.store.folders import RUNS

# Those that a run shares with other commands.


_MAPS = Names()
_ROWS, _METRICS = Names(Settings.rows), Names(Settings.metrics)


def break_lines(typed: str) -> str:
    r"""Return text with line breaks: a shell passes ``\n`` on as two characters."""
    return typed.replace("\\n", "\n")


Model = Annotated[
    str | None,
    typer.Option(
        help=f"A model folder, a Hub repository, or {' or '.join(PACKAGED)}.",
        show_default="the bundled model",
        autocompletion=completion.models,
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="A file or folder of prompts, hf:OWNER/NAME of the Hub, or the name facts.",
        show_default="the bundled prompts",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help=f"Of the prompts: {', '.join(FORMATS)}.",
        show_default="recognised by the content",
        autocompletion=completion.of(FORMATS),
    ),
]
Fields = Annotated[
    str | None,
    typer.Option(
        "--fields",
        metavar="KEY=FIELD,...",
        help=f"Which fields of the prompts hold what: {', '.join(KEYS)}.",
        show_default="as the format has it",
    ),
]
Limit = Annotated[int | None, typer.Option(help="Only the first N prompts.", show_default="all")]
Sample = Annotated[
    int | None,
    typer.Option(
        help="Only N prompts, drawn by the seed and spread over the relations.", show_default="all"
    ),
]
PromptTemplate = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        parser=break_lines,
        help="Words around each prompt, such as 'Question: {prompt}\\nAnswer:'.",
        show_default="none",
    ),
]
Chat = Annotated[bool, typer.Option("--chat", help="Put prompts in the model's own chat template.")]
BatchSize = Annotated[
    int | None, typer.Option(help="Prompts for each pass.", show_default="chosen for you")
]
Memory = Annotated[
    float | None,
    typer.Option(
        metavar="GB",
        help="What a run may take, weights included; decides the batch size.",
        show_default="what the machine recommends",
    ),
]
_MATCH = f"What counts as right: {', '.join(MATCHES)}."
ShownMatch = Annotated[
    str | None,
    typer.Option(
        "--match",
        help=_MATCH,
        show_default="as the run was asked for",
        autocompletion=completion.of(MATCHES),
    ),
]
AliasTable = Annotated[
    str | None,
    typer.Option(
        "--aliases",
        metavar="FILE",
        help="Further names of accepted answers: a set a line, or `countries` for those.",
        show_default="none",
    ),
]
RelianceThreshold = Annotated[
    float | None,
    typer.Option(
        help="Reliance threshold (nats) between AH and UH.",
        show_default="the mean of the right ones",
    ),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run code that the model brings along.")
]
Revision = Annotated[
    str | None,
    typer.Option(
        help="A branch, tag or commit of the Hub repository.", show_default="the default one"
    ),
]
AdapterPath = Annotated[
    Path | None,
    typer.Option(help="A folder with a LoRA adapter of mlx_lm.lora.", show_default="none"),
]
Rank = Annotated[
    str | None,
    typer.Option(
        metavar="K/N",
        help="Measure one of N shares of the prompts, 0/N for the first.",
        show_default="as mlx.launch says, or all",
    ),
]
TensorParallel = Annotated[
    bool,
    typer.Option("--tensor-parallel", help="Split the model, not the prompts, over the ranks."),
]


@dataclass(frozen=True)
class RunOptions:
    """What can be asked of a run, in the order of the help.

    Where a value is not what is typed, its option has a ``parser``.
    """

    model: Model = None
    data: Data = None
    format: Format = None
    fields: Fields = None
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The run folder.", show_default=f"one in {RUNS}"),
    ] = None
    limit: Limit = None
    sample: Sample = None
    corruption: Annotated[
        str,
        typer.Option(
            help=f"How the subject is corrupted: {' or '.join(CORRUPTIONS)}.",
            autocompletion=completion.of(CORRUPTIONS),
        ),
    ] = Settings.corruption
    noise_level: Annotated[
        float, typer.Option(help="Noise, in deviations of the subjects' embeddings.")
    ] = Settings.noise_level
    noise_samples: Annotated[int, typer.Option(help="Draws of noise for each prompt.")] = (
        Settings.noise_samples
    )
    window: Annotated[
        str,
        typer.Option(
            metavar="N,...",
            help="Blocks of the attention knockout around a layer; several give a row for each.",
        ),
    ] = f"{Settings.window}"
    part_window: Annotated[
        int, typer.Option(metavar="N", help="Blocks around a layer whose parts are exchanged.")
    ] = Settings.part_window
    rows: Annotated[
        Names,
        typer.Option(
            metavar="NAME,...",
            parser=Names.rows,
            help=f"What is measured, from the top: {', '.join(sets())}, or {', '.join(ROWS)}.",
            show_default=",".join(Settings.rows),
            autocompletion=completion.several([*sets(), *ROWS]),
        ),
    ] = _ROWS
    metrics: Annotated[
        Names,
        typer.Option(
            metavar="NAME,...",
            parser=Names.parse,
            help=f"The numbers of each cell: {', '.join(METRICS)}.",
            show_default=",".join(Settings.metrics),
            autocompletion=completion.several(METRICS),
        ),
    ] = _METRICS
    maps: Annotated[
        Names,
        typer.Option(
            "--map",
            metavar="NAME,...",
            parser=Names.parse,
            help=f"Every token at every layer as well: {', '.join(MAPS)}.",
            show_default="none",
            autocompletion=completion.several(MAPS),
        ),
    ] = _MAPS
    direction: Annotated[
        str,
        typer.Option(
            help="Put corrupted states into the clean run, or clean ones back into the corrupted: "
            f"{', '.join(DIRECTIONS)}.",
            autocompletion=completion.of(DIRECTIONS),
        ),
    ] = Settings.direction
    target: Annotated[
        str,
        typer.Option(
            help=f"Whose probability and logit are measured: {' or '.join(TARGETS)}.",
            autocompletion=completion.of(TARGETS),
        ),
    ] = Settings.target
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="RANGES",
            help="Only the cells of these layers, as in 0-31:2 or 3,7,20-25.",
            show_default="all",
        ),
    ] = None
    seed: Annotated[int, typer.Option(help="Of the noise and of the swaps.")] = Settings.seed
    swap_any: Annotated[
        bool, typer.Option("--swap-any", help="Take prompts without a relation for one relation.")
    ] = Settings.swap_any
    prompt_template: PromptTemplate = None
    chat: Chat = False
    batch_size: BatchSize = None
    memory: Memory = None
    label: Annotated[
        bool, typer.Option("--label/--no-label", help="Let the model answer, and sort the answers.")
    ] = True
    max_tokens: Annotated[int, typer.Option(help="Most tokens of an answer.")] = 10
    match: Annotated[str, typer.Option(help=_MATCH, autocompletion=completion.of(MATCHES))] = (
        Labelling.match
    )
    aliases: AliasTable = None
    reliance_threshold: RelianceThreshold = None
    trust_remote_code: TrustRemoteCode = False
    revision: Revision = None
    adapter_path: AdapterPath = None
    bits: Annotated[
        str | None,
        typer.Option(
            metavar="N,...",
            help="Quantize the model to so many bits first; several are compared.",
            show_default="as it is",
        ),
    ] = None

    def jobs(self) -> list[Job]:
        """Return the runs that are asked for: one for each of several precisions.

        Raises:
            InputError: if a value makes no sense.
        """
        wanted = (self.bits or "").split(",")
        if len(wanted) < 2:
            return [self.job()]
        jobs = [replace(self, bits=bits).job() for bits in wanted]
        if len({job.bits for job in jobs}) < len(jobs):
            raise InputError("each precision is named once", hint="correct --bits")
        if self.output is None:
            return jobs
        return [replace(job, output=self.output / f"bits-{job.bits}") for job in jobs]

    def job(self) -> Job:
        """Return the run that is asked for.

        Raises:
            InputError: if a value makes no sense.
        """
        values = asdict(self)
        if not values.pop("label"):
            values["max_tokens"] = None
        if self.bits is not None:
            if not self.bits.strip().isdecimal():
                raise InputError(
                    f"--bits is a number such as 4, or several for `mlxjsd run`, not {self.bits!r}",
                    hint="give one, or leave it out",
                )
            values["bits"] = int(self.bits)
        values["window"] = parse_windows(self.window)
        if self.layers is not None:
            values["layers"] = parse_layers(self.layers)
        if self.aliases is not None:
            from mlxjsd.analysis.aliases import read_aliases

            values["aliases"] = read_aliases(self.aliases)
        return Job.of(values)
