"""The command that opens the terminal app."""

import sys
from functools import partial
from typing import Annotated

import typer

from mlxjsd.cli import result_options
from mlxjsd.cli.app import app
from mlxjsd.cli.options import RunOptions
from mlxjsd.cli.run_options import takes_run_options
from mlxjsd.errors import InputError


@app.command(short_help="Open the terminal app: choose, measure, look.")
@takes_run_options
def tui(
    context: typer.Context,
    asked: RunOptions,
    folder: result_options.OptionalRunFolder = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show the app in a browser instead.")
    ] = False,
    host: Annotated[str, typer.Option(help="Where --serve listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where --serve listens.")] = 8000,
    config_path: Annotated[
        bool, typer.Option("--config-path", help="Say where the app's settings are kept.")
    ] = False,
) -> None:
    """Watch a run on the terminal; with no option, choose everything there.

    With any option of ``run`` the run begins at once; a run folder is shown, and can be
    taken up if it is unfinished.
    """
    if config_path:
        from mlxjsd.tui.config import config_path as path_of_config

        print(path_of_config())
        return
    warn = partial(print, file=sys.stderr, flush=True)
    if serve:
        from mlxjsd.tui.serve import serve as serve_app

        serve_app(
            sys.argv[1:],
            host,
            port,
            say=partial(print, flush=True),
            warn=warn,
        )
        return

    sources = {name: context.get_parameter_source(name) for name in context.params}
    asked_for = ("COMMANDLINE", "DEFAULT_MAP")  # typed, or in a file that was
    given = {name for name, source in sources.items() if source and source.name in asked_for}
    job = None
    if folder is not None:
        from mlxjsd.store.reader import read_header

        if given != {"folder"}:
            raise InputError("a run folder has its own settings", hint="give it without options")
        read_header(folder)  # says what is wrong before the screen is taken over
    elif given:
        job = asked.job()

    from mlxjsd.tui.launch import launch

    variables = any(source and source.name == "ENVIRONMENT" for source in sources.values())
    if variables and job is None and folder is None:
        raise typer.Exit(launch(warn=warn, form=asked.job()))
    raise typer.Exit(launch(job, folder, warn))
