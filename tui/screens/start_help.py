"""What the start screen says of the field in focus, of Enter, and of a model that is not here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from textual.widget import Widget
from textual.widgets import Button, Input, Select

from mlxjsd.model.hub import KnownModel
from mlxjsd.run.resume import job_or_none
from mlxjsd.store.folders import KnownRun
from mlxjsd.tui.form import FIELDS
from mlxjsd.tui.text import clean, size_of
from mlxjsd.tui.widgets.model_list import ModelList
from mlxjsd.tui.widgets.preview_panel import PreviewPanel
from mlxjsd.tui.widgets.token_line import TokenLine

#: Prompts of more bytes are not read only to say what Enter does.
_MOST_BYTES = 50_000_000
_FIELDS = {info.name: info for info in FIELDS}


def about(focused: Widget | None, run: tuple[KnownRun, bool | None] | None) -> str:
    """Return what is in focus, and what Enter does there.

    Args:
        focused: what has the focus.
        run: the highlighted one of the recent runs, and whether it can go on; None while that is
            not known.
    """
    if run is not None:
        return _about_run(*run)
    if isinstance(focused, TokenLine):
        return "← and → choose a token, space adds the next one. Enter measures."
    if focused is not None and focused.id == "sentence":
        return "Its subject in [brackets], or Enter and mark it. Empty: Enter starts the run."
    info = _FIELDS.get(str(focused.id)) if focused is not None else None
    if isinstance(focused, Input) and info is not None:
        more = " → takes what is suggested." if info.completes else ""
        return f"{_sentence(info.help)} Enter starts.{more}"
    if isinstance(focused, Select) and info is not None:
        return f"{_sentence(info.help)} Enter shows the choices."
    if isinstance(focused, ModelList):
        return "Enter takes this model."
    if isinstance(focused, Button):
        return "Enter measures with these settings. Tab goes through them."
    if isinstance(focused, PreviewPanel):
        return "The prompts as they will be measured. The arrow keys scroll."
    if type(focused).__name__ == "CollapsibleTitle":
        return "Enter shows or hides the other settings."
    return ""


def footer(focused: Widget | None) -> tuple[tuple[str, str], ...]:
    """Return the keys that matter where the focus is: ids of bindings, and their labels."""
    away = (
        (("app.help_anywhere", "Help"), ("app.quit_anywhere", "Quit"))
        if isinstance(focused, Input)
        else (("app.theme", "Theme"), ("app.help", "Help"), ("app.quit", "Quit"))
    )
    if isinstance(focused, TokenLine):
        return (
            ("mark.measure", "Measure"),
            ("mark.more", "Mark more"),
            ("mark.leave", "Change the sentence"),
            *away,
        )
    return (
        ("start.start", "Start"),
        ("start.next", "Next"),
        ("start.open", "Open"),
        ("start.back", "Back"),
        ("app.jump", "Jump"),
        ("app.palette", "Commands"),
        *away,
    )


def _about_run(run: KnownRun, resumable: bool | None) -> str:
    name = clean(run.folder.name)
    if run.finished:
        return f"Enter shows {name}. Tab goes to a new run."
    if resumable is None:
        return f"Enter shows {name}, and goes on with it if its prompts are as they were."
    if not resumable:
        return f"Enter shows {name}; it cannot go on, since its prompts are not as they were."
    return f"Enter goes on with {name}. Tab goes to a new run."


def can_go_on(run: KnownRun) -> bool | None:
    """Say whether a run's prompts are as they were; None where that takes long to find out."""
    try:
        size = Path(str(run.header["data_path"])).stat().st_size
    except (OSError, ValueError):
        size = 0
    return None if size > _MOST_BYTES else job_or_none(run.folder) is not None


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!")) else f"{text}."


def download_note(
    model: str | None,
    missing: str | None,
    known: Sequence[KnownModel],
    sizes: Mapping[str, int | None],
) -> str:
    """Say what Start would download; "" for nothing.

    Args:
        model: what the form names.
        missing: what would come from the Hub; see :func:`mlxjsd.model.hub.to_download`.
        known: models with a name of their own.
        sizes: bytes, of those of which the Hub was asked; None where it did not say.
    """
    for packaged in known:
        if packaged.name == model and not packaged.here:
            licence = f", {packaged.licence}" if packaged.licence else ""
            return f"Start downloads {packaged.name} ({size_of(packaged.size)}{licence})"
    if missing is None:
        return ""
    size = sizes.get(missing)
    if size is not None:
        return f"Start downloads {missing} ({size_of(size)})"
    return f"Start downloads {missing}" + (" (size unknown)" if missing in sizes else "")
