"""How the options of a run are given: typed, in a file, or as variables of the surroundings.

All three take what :class:`mlxjsd.cli.options.RunOptions` lists. What is typed goes first, then
variables such as ``MLXJSD_MODEL``, then the file.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import typer
from typer.models import OptionInfo

from mlxjsd.cli.config import config_text, take_config
from mlxjsd.cli.options import RunOptions

Result = TypeVar("Result")

#: The options of a run by name, each with its type and what typer is told of it.
HINTS = get_type_hints(RunOptions, include_extras=True)
NAMES = tuple(field.name for field in fields(RunOptions))
#: Those that a file or a variable may give. Code of a model is run if somebody types so.
KEYS = tuple(name for name in NAMES if name != "trust_remote_code")
#: Fields whose options are called otherwise.
_TYPED = {"maps": "map"}


def typed_as(name: str) -> str:
    """Return what an option of a run is called, in a file as well."""
    return _TYPED.get(name, name)


def variable_of(name: str) -> str:
    """Return the variable that an option of a run is taken from."""
    return f"MLXJSD_{typed_as(name).upper()}"


def _take(context: typer.Context, path: Path | None) -> Path | None:
    take_config(context, path, {typed_as(name): name for name in KEYS})
    return path


_Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        is_eager=True,
        callback=_take,
        help="Settings in YAML, for what is not typed.",
        show_default="none",
    ),
]


def takes_run_options(
    command: Callable[..., Result] | None = None,
    *,
    names: Sequence[str] = NAMES,
    instead: Mapping[str, Any] | None = None,
) -> Any:
    """Give ``command`` one option for each field of its parameter of type ``RunOptions``.

    Typer reads the signature, in which the fields stand in the parameter's place; the command is
    handed the filled object.

    Args:
        command: what is given them; None where arguments are given first.
        names: of the fields, for a command that takes not all of them. The others keep their
            defaults, also where a file of settings has them.
        instead: what typer is told of some of them in place of what it is told for a run.
    """
    if command is None:
        return partial(takes_run_options, names=names, instead=instead)
    hints = {**HINTS, **(instead or {})}
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in fields(RunOptions)
        if field.name in names
    ]
    file = inspect.Parameter("config", keyword, default=None, annotation=_Config)
    signature, taken = inspect.signature(command), ""
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.annotation is RunOptions:
            taken = parameter.name
            parameters += [*options, file]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(command)
    def with_options(**given: Any) -> Result:
        del given["config"]  # its values stand where others were not typed
        asked = RunOptions(**{option.name: given.pop(option.name) for option in options})
        return command(**given, **{taken: asked})

    with_options.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_options


def option_of(name: str) -> OptionInfo:
    """Return an option of a run, by its field."""
    found = get_args(HINTS[name])[1]
    assert isinstance(found, OptionInfo)
    return found


def help_of(name: str) -> str:
    """Return what the help says of an option of a run."""
    return str(option_of(name).help)


def written(asked: RunOptions) -> str:
    """Return what is asked for as a file of settings."""
    values = {typed_as(name): getattr(asked, name) for name in KEYS}
    return config_text(values, {typed_as(name): help_of(name) for name in KEYS})


for _name in KEYS:
    # Other commands that take the same option take its variable as well.
    option_of(_name).envvar, option_of(_name).show_envvar = variable_of(_name), False
