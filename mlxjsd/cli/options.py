"""The options of the command line, said once for all commands that share them."""

from pathlib import Path
from typing import Annotated

import typer

from mlxjsd.metrics import METRICS
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.settings import CORRUPTIONS, GROUPINGS, MATCHES
from mlxjsd.store.folders import RUNS

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
OptionalRunFolder = Annotated[
    Path | None, typer.Argument(metavar="[RUN]", help="A run folder to look at.")
]
OutputFile = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]

Model = Annotated[
    str | None,
    typer.Option(help="A model folder or Hub repository.", show_default="the bundled model"),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="A file of prompts, or a folder of relations.", show_default="the bundled prompts"
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
Folder = Annotated[
    Path | None, typer.Option("--output", help="The run folder.", show_default=f"one in {RUNS}")
]
Limit = Annotated[
    int | None, typer.Option(help="Only the first so many prompts.", show_default="all")
]
Corruption = Annotated[
    str, typer.Option(help=f"How the subject is spoiled: {' or '.join(CORRUPTIONS)}.")
]
NoiseLevel = Annotated[
    float, typer.Option(help="Noise, in deviations of the subjects' embeddings.")
]
NoiseSamples = Annotated[int, typer.Option(help="Draws of noise for each prompt.")]
Window = Annotated[int, typer.Option(help="Blocks of the attention knockout around a layer.")]
Seed = Annotated[int, typer.Option(help="Of the noise and of the swaps.")]
PromptTemplate = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
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
Label = Annotated[
    bool, typer.Option("--label/--no-label", help="Let the model answer, and sort the answers.")
]
MaxTokens = Annotated[int, typer.Option(help="Most tokens of an answer.")]
_MATCH = f"What counts as right: {', '.join(MATCHES)}."
Match = Annotated[str, typer.Option(help=_MATCH)]
ShownMatch = Annotated[
    str | None, typer.Option("--match", help=_MATCH, show_default="as the run was asked for")
]
RelianceThreshold = Annotated[
    float | None,
    typer.Option(
        help="nats of reliance that part AH from UH.", show_default="the mean of the right ones"
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
By = Annotated[str | None, typer.Option(help=f"One heatmap for each {', '.join(GROUPINGS)}.")]


def template_from(argument: str | None) -> str | None:
    r"""Return the template that was typed: a shell passes ``\n`` on as two characters."""
    return None if argument is None else argument.replace("\\n", "\n")


Metric = Annotated[
    str, typer.Option("--metric", help=f"Of those that were measured: {', '.join(METRICS)}.")
]
