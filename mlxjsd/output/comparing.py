"""Two runs, or a run and a published figure, as one comparison."""

from mlxjsd.analysis import compare as comparing
from mlxjsd.analysis.compare import Comparison
from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.published import published_map
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.output.changes import named_runs, of_shared_prompts
from mlxjsd.output.markdown import panel_of
from mlxjsd.output.reference import compare_map
from mlxjsd.results import Run


def compare(
    run: Run,
    other: Run | str,
    category: str | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
) -> Comparison:
    """Compare a run with another one, over the prompts that both have, or a published figure.

    Args:
        run: the one that comes first, A.
        other: B: a run, or the name of a figure such as ``llama-3-8b-fa``, or of published maps,
            such as ``rome-gpt2-xl``, whose metric and effect are taken.
        category: only the prompts of this one, FA, AH or UH.
        metric: key of one that both measured.
        effect: what is compared in place of the numbers as they were measured, of two runs.

    Raises:
        InputError: if they cannot be compared.
    """
    if isinstance(other, str) and (reference := published_map(other)) is not None:
        if effect not in (None, reference.effect) or metric not in (JSD.key, reference.metric):
            raise InputError(
                f"{other} shows the {reference.effect.kind} of {reference.metric} alone",
                hint="leave metric and effect out",
            )
        return compare_map(run, reference, category)
    if isinstance(other, str):
        return comparing.compare(
            panel_of(run, category, metric, effect), comparing.published(other)
        )
    shared = of_shared_prompts(named_runs([run, other], ["A", "B"]))
    return comparing.compare(*(panel_of(one, category, metric, effect) for one in shared.values()))
