"""See, layer by layer, where a language model keeps and moves what it knows.

The names below are the whole Python interface; each is imported when it is first used, so
``import mlxjsd`` costs nothing and does not load MLX.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlxjsd.blocks import Blocks as Blocks
    from mlxjsd.corruption import Corruption as Corruption
    from mlxjsd.divergence import js_divergence as js_divergence
    from mlxjsd.errors import InputError as InputError
    from mlxjsd.experiment import measure as measure
    from mlxjsd.experiment import run_experiment as run_experiment
    from mlxjsd.export import export_run as export_run
    from mlxjsd.figure import plot_heatmap as plot_heatmap
    from mlxjsd.figure import plot_run as plot_run
    from mlxjsd.figure import save_figure as save_figure
    from mlxjsd.heatmap import aggregate as aggregate
    from mlxjsd.interventions import Batch as Batch
    from mlxjsd.interventions import Measurement as Measurement
    from mlxjsd.model import load_model as load_model
    from mlxjsd.planning import plan_run as plan_run
    from mlxjsd.prompts import Prompt as Prompt
    from mlxjsd.prompts import read_prompts as read_prompts
    from mlxjsd.reference import reference_batch as reference_batch
    from mlxjsd.settings import Settings as Settings
    from mlxjsd.stored import read_run as read_run
    from mlxjsd.sweep import sweep_batch as sweep_batch

_HOME = {
    "Batch": "interventions",
    "Blocks": "blocks",
    "Corruption": "corruption",
    "InputError": "errors",
    "Measurement": "interventions",
    "Prompt": "prompts",
    "Settings": "settings",
    "aggregate": "heatmap",
    "export_run": "export",
    "js_divergence": "divergence",
    "load_model": "model",
    "measure": "experiment",
    "plan_run": "planning",
    "plot_heatmap": "figure",
    "plot_run": "figure",
    "read_prompts": "prompts",
    "read_run": "stored",
    "reference_batch": "reference",
    "run_experiment": "experiment",
    "save_figure": "figure",
    "sweep_batch": "sweep",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("mlxjsd")
    if name not in _HOME:
        raise AttributeError(f"module 'mlxjsd' has no attribute {name!r}")
    return getattr(import_module(f"mlxjsd.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
