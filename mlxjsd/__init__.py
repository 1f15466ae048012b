"""See, layer by layer, where a language model keeps and moves what it knows.

The names below are the whole Python interface; each is imported when it is first used, so
``import mlxjsd`` costs nothing and does not load MLX.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlxjsd.analysis.effects import Effect as Effect
    from mlxjsd.analysis.heatmap import Heatmap as Heatmap
    from mlxjsd.analysis.heatmap import aggregate as aggregate
    from mlxjsd.asked import Asked as Asked
    from mlxjsd.errors import InputError as InputError
    from mlxjsd.interventions.corruption import Corruption as Corruption
    from mlxjsd.interventions.divergence import js_divergence as js_divergence
    from mlxjsd.interventions.reference import reference_batch as reference_batch
    from mlxjsd.interventions.spec import Batch as Batch
    from mlxjsd.interventions.spec import Measurement as Measurement
    from mlxjsd.interventions.sweep import sweep_batch as sweep_batch
    from mlxjsd.model.blocks import Blocks as Blocks
    from mlxjsd.model.load import load_model as load_model
    from mlxjsd.output.comparing import compare as compare
    from mlxjsd.output.curve_figure import plot_lines as plot_lines
    from mlxjsd.output.export import export_run as export_run
    from mlxjsd.output.figure import plot_comparison as plot_comparison
    from mlxjsd.output.figure import plot_groups as plot_groups
    from mlxjsd.output.figure import plot_heatmap as plot_heatmap
    from mlxjsd.output.figure import plot_run as plot_run
    from mlxjsd.output.figure import save_figure as save_figure
    from mlxjsd.output.map_figure import plot_map as plot_map
    from mlxjsd.output.map_figure import plot_roles as plot_roles
    from mlxjsd.output.page import Page as Page
    from mlxjsd.output.report.write import write_report as write_report
    from mlxjsd.output.style import Style as Style
    from mlxjsd.prompts.prompt import Prompt as Prompt
    from mlxjsd.prompts.read import read_prompts as read_prompts
    from mlxjsd.records import Record as Record
    from mlxjsd.results import Run as Run
    from mlxjsd.run.ask import ask as ask
    from mlxjsd.run.experiment import measure as measure
    from mlxjsd.run.experiment import run_experiment as run_experiment
    from mlxjsd.run.plan import plan_run as plan_run
    from mlxjsd.settings import Settings as Settings
    from mlxjsd.store.reader import read_run as read_run

#: Where each public name lives.
_HOME = {
    "Asked": "asked",
    "Batch": "interventions.spec",
    "Blocks": "model.blocks",
    "Corruption": "interventions.corruption",
    "Effect": "analysis.effects",
    "Heatmap": "analysis.heatmap",
    "InputError": "errors",
    "Measurement": "interventions.spec",
    "Page": "output.page",
    "Prompt": "prompts.prompt",
    "Record": "records",
    "Run": "results",
    "Settings": "settings",
    "Style": "output.style",
    "aggregate": "analysis.heatmap",
    "ask": "run.ask",
    "compare": "output.comparing",
    "export_run": "output.export",
    "js_divergence": "interventions.divergence",
    "load_model": "model.load",
    "measure": "run.experiment",
    "plan_run": "run.plan",
    "plot_comparison": "output.figure",
    "plot_groups": "output.figure",
    "plot_heatmap": "output.figure",
    "plot_lines": "output.curve_figure",
    "plot_map": "output.map_figure",
    "plot_roles": "output.map_figure",
    "plot_run": "output.figure",
    "read_prompts": "prompts.read",
    "read_run": "store.reader",
    "reference_batch": "interventions.reference",
    "run_experiment": "run.experiment",
    "save_figure": "output.figure",
    "sweep_batch": "interventions.sweep",
    "write_report": "output.report.write",
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
