"""The tokenizer of a model: loaded without running code unasked, and used without a panic."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError, Panic, panics_caught, said_by
from mlxjsd.model.files import Files


def never_ask() -> None:
    """Let transformers refuse code that it was not told to trust, instead of asking for it.

    It asks on the terminal, where an answer meant for something else would run the code.
    """
    from transformers import dynamic_module_utils

    dynamic_module_utils.TIME_OUT_REMOTE_CODE = 0


def code_of_tokenizer(files: Files) -> str | None:
    """Return the code that a tokenizer names, such as ``tok.Tokenizer``; None for none."""
    return next(iter(_named(files, "tokenizer_config.json", "AutoTokenizer")), None)


def check_code_is_here(folder: Path, files: Files) -> None:
    """Raise ``InputError`` for code of another repository: a model's hash would not be of it."""
    for file, kind in (("tokenizer_config.json", "AutoTokenizer"), ("config.json", "AutoConfig")):
        for name in _named(files, file, kind):
            if "--" in name:
                raise InputError(
                    f"{folder / file} takes code from another repository ({name}), which is never "
                    "run",
                    hint=f"copy that code into the folder, and name it without the part before --, "
                    f"in {file}",
                )


def _named(files: Files, file: str, kind: str) -> list[str]:
    try:
        found = json.loads(files[file].read_text(encoding="utf-8"))["auto_map"]
        named = found[kind] if isinstance(found, dict) else found
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
    return [n for n in (named if isinstance(named, list) else [named]) if isinstance(n, str)]


class Guarded:
    """Stands for a tokenizer, and turns a panic in any of its calls into one sentence."""

    def __init__(self, held: Any, name: str) -> None:
        """Stand for ``held``, the tokenizer of the model with this ``name``."""
        self._held, self._name = held, name

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Encode."""
        return self._guarded(self._held)(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name in ("_held", "_name"):  # it is being copied, and not yet filled
            raise AttributeError(name)
        value = getattr(self._held, name)
        return self._guarded(value) if callable(value) else value

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **options: Any) -> Any:
            try:
                with panics_caught():
                    return call(*arguments, **options)
            except Panic as error:
                raise InputError(
                    f"the tokenizer of {self._name} cannot be used: {said_by(error, 200)}",
                    hint="copy its tokenizer.json again, or name another model",
                ) from error

        return guarded
