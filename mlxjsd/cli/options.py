"""The options of the command line, each defined once for all commands that take it.

:class:`RunOptions` lists the options of a run. A new one is one more field there, named as in
:class:`mlxjsd.settings.Settings`, :class:`mlxjsd.settings.Labelling` or
:class:`mlxjsd.run.job.Job`: ``run`` and ``tui`` take it, and the job gets it.
"""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer

from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.errors import InputError
from mlxjsd.metrics import METRICS
from mlxjsd.model.packaged import PACKAGED
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.prompts.formats.guess import KEYS
from mlxjsd.rows import ROWS
from mlxjsd.run.job import Job
from mlxjsd.settings import GROUPINGS, MATCHES, Labelling, Settings, parse_layers
from mlxjsd.store.folders import RUNS

Result = TypeVar("Result")

# Those of a run folder, and of where to write.

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
OptionalRunFolder = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="A run folder to look at.")
]
OutputFile = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]
By = Annotated[str | None, typer.Option(help=f"One heatmap for each {', '.join(GROUPINGS)}.")]

Metric = Annotated[
    str, typer.Option("--metric", help=f"Of those that were measured: {', '.join(METRICS)}.")
]

# Those of a figure.

Width = Annotated[
    float | None,
    typer.Option(
        metavar="INCHES", help="As in a paper's column, 3.3.", show_default="as the layers need"
    ),
]
FontSize = Annotated[
    float | None,
    typer.Option(metavar="POINTS", help="Of all letters.", show_default="10, or 8 below 5 inches"),
]
NoTitle = Annotated[bool, typer.Option("--no-title", help="No words above the figure.")]
Dpi = Annotated[int, typer.Option(help="Pixels of an inch, in a .png.")]

# Those that a run shares with other commands.


class Names(tuple[str, ...]):
    """Names that are typed with commas between them."""

    @classmethod
    def parse(cls, typed: "str | Names") -> "Names":
        """Return the names; a default is one already."""
        return cls(part.strip() for part in typed.split(",")) if isinstance(typed, str) else typed


_ROWS, _METRICS = Names(Settings.rows), Names(Settings.metrics)


def break_lines(typed: str) -> str:
    r"""Return text with line breaks: a shell passes ``\n`` on as two characters."""
    return typed.replace("\\n", "\n")


Model = Annotated[
    str | None,
    typer.Option(
        help=f"A model folder, a Hub repository, or {' or '.join(PACKAGED)}.",
        show_default="the bundled model",
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
    str | None, typer.Option("--match", help=_MATCH, show_default="as the run was asked for")
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
        Path | None, typer.Option(help="The run folder.", show_default=f"one in {RUNS}")
    ] = None
    limit: Limit = None
    sample: Sample = None
    corruption: Annotated[
        str, typer.Option(help=f"How the subject is corrupted: {' or '.join(CORRUPTIONS)}.")
    ] = Settings.corruption
    noise_level: Annotated[
        float, typer.Option(help="Noise, in deviations of the subjects' embeddings.")
    ] = Settings.noise_level
    noise_samples: Annotated[int, typer.Option(help="Draws of noise for each prompt.")] = (
        Settings.noise_samples
    )
    window: Annotated[
        int, typer.Option(help="Blocks of the attention knockout around a layer.")
    ] = Settings.window
    rows: Annotated[
        Names,
        typer.Option(
            metavar="NAME,...",
            parser=Names.parse,
            help=f"What is measured, from the top: {', '.join(ROWS)}.",
            show_default=",".join(Settings.rows),
        ),
    ] = _ROWS
    metrics: Annotated[
        Names,
        typer.Option(
            metavar="NAME,...",
            parser=Names.parse,
            help=f"The numbers of each cell: {', '.join(METRICS)}.",
            show_default=",".join(Settings.metrics),
        ),
    ] = _METRICS
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
    match: Annotated[str, typer.Option(help=_MATCH)] = Labelling.match
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
        if self.layers is not None:
            values["layers"] = parse_layers(self.layers)
        if self.aliases is not None:
            from mlxjsd.analysis.aliases import read_aliases

            values["aliases"] = read_aliases(self.aliases)
        return Job.of(values)


def takes_run_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give ``command`` one option for each field of its parameter of type ``RunOptions``.

    Typer reads the signature, in which the fields stand in the parameter's place; the command is
    handed the filled object.
    """
    hints = get_type_hints(RunOptions, include_extras=True)
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(RunOptions)
    ]
    signature, taken = inspect.signature(command), ""
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.annotation is RunOptions:
            taken = parameter.name
            parameters += options
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(command)
    def with_options(**given: Any) -> Result:
        asked = RunOptions(**{option.name: given.pop(option.name) for option in options})
        return command(**given, **{taken: asked})

    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_options


def help_of(name: str) -> str:
    """Return what the help says of an option of a run."""
    _, option = get_args(get_type_hints(RunOptions, include_extras=True)[name])
    return str(option.help)
