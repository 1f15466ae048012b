"""The command that opens the terminal app."""

import sys
from typing import Annotated

import typer

from mlxjsd.cli import options
from mlxjsd.cli.app import app
from mlxjsd.cli.options import template_from
from mlxjsd.errors import InputError
from mlxjsd.settings import Labelling, Settings


@app.command()
def tui(
    context: typer.Context,
    folder: options.OptionalRunFolder = None,
    model: options.Model = None,
    data: options.Data = None,
    format: options.Format = None,
    output: options.Folder = None,
    limit: options.Limit = None,
    corruption: options.Corruption = Settings.corruption,
    noise_level: options.NoiseLevel = Settings.noise_level,
    noise_samples: options.NoiseSamples = Settings.noise_samples,
    window: options.Window = Settings.window,
    seed: options.Seed = Settings.seed,
    prompt_template: options.PromptTemplate = None,
    chat: options.Chat = False,
    batch_size: options.BatchSize = None,
    memory: options.Memory = None,
    label: options.Label = True,
    max_tokens: options.MaxTokens = 10,
    match: options.Match = Labelling.match,
    reliance_threshold: options.RelianceThreshold = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show the app in a browser instead.")
    ] = False,
    host: Annotated[str, typer.Option(help="Where --serve listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where --serve listens.")] = 8000,
) -> None:
    """Watch a run on the terminal; with no option, choose everything there.

    With any option of ``run`` the run begins at once; a run folder is shown, and can be
    taken up if it is unfinished.
    """
    if serve:
        from mlxjsd.tui.serve import serve as serve_app

        serve_app(sys.argv[1:], host, port)
        return

    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    job = None
    if folder is not None:
        from mlxjsd.store.reader import read_header

        if given != {"folder"}:
            raise InputError("a run folder has its own settings", hint="give it without options")
        read_header(folder)  # says what is wrong before the screen is taken over
    elif given:
        from mlxjsd.tui.protocol import Job

        template = template_from(prompt_template)
        settings = Settings(corruption, noise_level, noise_samples, window, seed, template, chat)
        labelling = Labelling(max_tokens if label else None, match, reliance_threshold)
        job = Job(
            model,
            data,
            output,
            limit,
            settings,
            batch_size,
            trust_remote_code,
            labelling,
            format,
            revision,
            adapter_path,
            memory,
        )

    from mlxjsd.tui.app import launch

    raise typer.Exit(launch(job, folder))
