"""The command line: the only place that prints. stdout is data, stderr is talk."""

# Each adds its commands to the app; the order is that of the help.
from mlxjsd.cli import ask, run, check, tui, inspect, results, compare, report, label  # isort: skip
from mlxjsd.cli.app import main

__all__ = ["ask", "check", "compare", "inspect", "label", "main", "report", "results", "run", "tui"]
