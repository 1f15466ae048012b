"""Settings of a run in a file: `-c config.yaml`, as mlx_lm.lora has it.

Its keys are the options of a run, as :class:`mlxjsd.cli.options.RunOptions` lists them, and its
values are read as they would be typed. What is typed goes before it, and so does a variable
``MLXJSD_...``. Code of a model is never run because a file says so.
"""

import difflib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import typer

from mlxjsd.errors import InputError, said_by

#: Bytes of the longest file.
MOST = 1_000_000
#: As YAML writes that there is no value.
_NOTHING = ("", "~", "null", "Null", "NULL")


def read_config(path: Path, keys: Collection[str]) -> dict[str, str]:
    """Return the values of a file by key, as they would be typed; those of null left out.

    Args:
        path: YAML, or JSON, which is YAML.
        keys: those that there can be.

    Raises:
        InputError: if it cannot be read, or holds another key or what is no value.
    """
    import yaml

    try:
        if path.stat().st_size > MOST:
            raise InputError(f"{path} is too large for settings", hint="name another with -c")
        content = path.read_text(encoding="utf-8-sig")
        # Which makes nothing but texts: 0123 is a revision, and no number in base 8.
        found = yaml.BaseLoader(content).get_single_data()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", hint="name a file with -c"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"{path} is not YAML: {said_by(error, 200)}",
            hint="`mlxjsd run --print-config` writes one",
        ) from None
    if found in (None, *_NOTHING):
        return {}
    if not isinstance(found, dict):
        raise InputError(
            f"{path} holds no settings, such as `window: 5`",
            hint="`mlxjsd run --print-config` writes some",
        )
    values = {}
    for written, value in found.items():
        key = str(written).replace("-", "_")
        if key not in keys:
            raise _unknown(path, str(written), key, keys)
        if key in values:
            raise InputError(f"{path} has the key {key!r} twice", hint="leave one of them out")
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            value = ",".join(value)
        if not isinstance(value, str):
            raise InputError(
                f"{key} in {path} is no value that could be typed", hint=f"see {_option(key)}"
            )
        if value not in _NOTHING:
            values[key] = value
    return values


def _unknown(path: Path, written: str, key: str, keys: Collection[str]) -> InputError:
    near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
    known = f"did you mean {near[0]!r}" if near else f"there is {', '.join(keys)}"
    return InputError(f"{path} has an unknown key {written[:80]!r}", hint=f"{known}")


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def take_config(context: typer.Context, path: Path | None, keys: Mapping[str, str]) -> None:
    """Take the values of a file for those that are not typed.

    ``keys`` are those of a file, each with the name of its option in the context.

    Raises:
        InputError: as :func:`read_config`, and for a value that its option refuses.
    """
    if path is None or context.resilient_parsing:
        return
    options = {option.name: option for option in context.command.params}
    values = {}
    for key, value in read_config(path, keys).items():
        option = options.get(keys[key])
        if option is None:  # of a run, and not of this command
            continue
        try:
            option.process_value(context, value)
        except InputError as error:
            raise error.at(path) from None
        except typer.BadParameter as error:
            raise InputError(
                f"{key} in {path}: {said_by(error, 200).rstrip('.')}",
                hint=f"see {_option(key)} of `mlxjsd run --help`",
            ) from None
        values[keys[key]] = value
    context.default_map = {**(context.default_map or {}), **values}


def config_text(values: Mapping[str, Any], helps: Mapping[str, str]) -> str:
    """Return settings as such a file, each with what the help says of it."""
    parts = ["# Settings of `mlxjsd run -c FILE`; what is typed goes before them."]
    for key, value in values.items():
        parts.append(f"\n# {helps[key]}\n{key}: {_written(value)}")
    return "\n".join(parts)


def _written(value: Any) -> str:
    """Return a value on one line of YAML."""
    import yaml

    if isinstance(value, str) and "\n" in value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.isdecimal() and str(int(value)) == value:
        value = int(value)
    value = list(value) if isinstance(value, tuple) else value
    value = str(value) if isinstance(value, Path) else value
    found: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return found.removesuffix("...\n").strip()
