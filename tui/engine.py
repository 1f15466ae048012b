"""The one thread that computes, and the only file of the app that touches MLX.

MLX's streams belong to threads, so one thread loads, patches and evaluates for the life of
the program. Only Python and NumPy values leave it. MLX is imported there too: the app is on
the screen before that is done.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import (
    InputError,
    MachineError,
    MeasurementError,
    is_out_of_memory,
    panics_caught,
    said_by,
)
from mlxjsd.interventions.corruption.swap import choose_partners, why_no_partner
from mlxjsd.prompts.answers import AnswersTally, known_of
from mlxjsd.prompts.encode import Encoder
from mlxjsd.prompts.encode_file import encode_prompts
from mlxjsd.prompts.hub_data import is_cached, names_hub
from mlxjsd.prompts.prompt import PromptFile, Unusable
from mlxjsd.prompts.read import read_prompts
from mlxjsd.prompts.sentence import Sentence
from mlxjsd.prompts.template import fill
from mlxjsd.run.batching import draw
from mlxjsd.run.events import BatchDone, Event, Finished, Started, Stopped
from mlxjsd.store.reader import read_run
from mlxjsd.tui.marking import words
from mlxjsd.tui.protocol import (
    Answered,
    Failed,
    Job,
    Loading,
    Look,
    Opened,
    Preview,
    Shown,
    Split,
    Tell,
)

if TYPE_CHECKING:
    from mlxjsd.model.loaded import LoadedModel
    from mlxjsd.run.plan import Plan

#: A model, whether its code is trusted, its revision, its adapter and its bits.
_Wanted = tuple[str | None, bool, str | None, Path | None, int | None]
#: A model, whether its code is trusted, and its revision.
_WantedTokenizer = tuple[str | None, bool, str | None]


class MLXEngine:
    """Computes runs with MLX; see :class:`mlxjsd.tui.protocol.Engine`."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlxjsd-engine")
        self._stop = threading.Event()
        self._may_go = threading.Event()
        self._may_go.set()
        self._futures: set[Future[None]] = set()
        self._newest_look = self._newest_split = 0
        self._closed = False
        # What the thread keeps between jobs.
        self._model: tuple[_Wanted, LoadedModel] | None = None
        self._encoder: tuple[_WantedTokenizer, Encoder] | None = None

    def start(self, job: Job, tell: Tell) -> None:
        self.stop()
        self._stop = threading.Event()  # the earlier job keeps its own, which stays set
        self._submit(self._run, job, self._stop, tell)

    def pause(self) -> None:
        self._may_go.clear()

    def go_on(self) -> None:
        self._may_go.set()

    def stop(self) -> None:
        self._stop.set()
        self._may_go.set()

    def look(self, look: Look, tell: Callable[[Preview], object]) -> None:
        self._newest_look += 1
        self._submit(self._look, look, self._newest_look, tell)

    def split(self, job: Job, text: str, tell: Callable[[Split], object]) -> None:
        self._newest_split += 1
        self._submit(self._split, job, text, self._newest_split, tell)

    def ask(self, job: Job, sentence: Sentence, tell: Tell) -> None:
        self.stop()
        self._submit(self._ask, job, sentence, tell)

    def close(self, timeout: float) -> bool:
        self.stop()
        self._closed = True
        self._newest_look += 1
        self._newest_split += 1
        self._executor.shutdown(wait=False, cancel_futures=True)
        ended = not wait(set(self._futures), timeout).not_done
        if ended:
            self._executor.shutdown()  # nothing is left to do, and the thread ends at once
        return ended

    def _submit(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._closed:
            return
        future = self._executor.submit(function, *arguments)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)

    # Everything below runs on the engine's thread.

    def _run(self, job: Job, stop: threading.Event, tell: Tell) -> None:
        def should_stop() -> bool:
            self._may_go.wait()
            return stop.is_set()

        with _failures_told(tell):
            from mlxjsd.run.experiment import run_experiment

            plan = self._plan(job, tell)
            # Whatever happens here, the run closes its file and ends its threads now.
            with closing(run_experiment(plan, job.folder, should_stop)) as events:
                for event in events:
                    self._pass_on(event, job.folder, tell)

    def _ask(self, job: Job, sentence: Sentence, tell: Tell) -> None:
        with _failures_told(tell, "Try another sentence, or other settings."):
            from mlxjsd.run.ask import ask

            model = self._loaded(job, tell)
            tell(Loading("measuring the sentence"))
            # What the form says of other corruptions is about many prompts.
            tell(Answered(ask(model, sentence, replace(job.settings, corruption="noise"))))

    def _pass_on(self, event: Event, folder: Path, tell: Tell) -> None:
        if isinstance(event, Started):
            tell(Opened(event.folder, read_run(event.folder), event.notes))
            return
        if isinstance(event, Finished):
            from mlxjsd.output.artifacts import write_products

            write_products(folder)
        if isinstance(event, BatchDone | Finished | Stopped):  # the app has no ranks
            tell(event)

    def _plan(self, job: Job, tell: Tell) -> "Plan":
        tell(Loading("reading the prompts"))
        data = read_prompts(job.data or PROMPTS, job.format, job.fields)
        model = self._loaded(job, tell)
        tell(Loading("preparing the prompts"))
        return job.plan(model, data)

    def _loaded(self, job: Job, tell: Tell) -> "LoadedModel":
        """Return the job's model: the one that is kept, or another one in its place."""
        tell(Loading("loading the model"))
        from mlxjsd.model.load import load_model

        wanted = (job.model, job.trust_remote_code, job.revision, job.adapter_path, job.bits)
        kept = self._model
        if kept is None or kept[0] != wanted or job.expected not in (None, kept[1].identity.sha256):
            self._model = None  # two large models at a time may not fit
            loaded = load_model(
                *wanted[:4],
                progress=_told(tell),
                bits=job.bits,
                expected=job.expected,
                download=job.download,
            )
            self._model = kept = (wanted, loaded)
        return kept[1]

    def _look(self, look: Look, number: int, tell: Callable[[Preview], object]) -> None:
        if number != self._newest_look:
            return
        try:
            if look.data is not None and names_hub(look.data) and not is_cached(look.data):
                # A name is looked at while it is being typed.
                tell(Preview(0, error=f"{look.data} is fetched when the run begins"))
                return
            data = read_prompts(look.data or PROMPTS, look.format, look.fields)
        except InputError as error:
            tell(Preview(0, error=str(error)))
            return
        try:
            encoder = self._load_encoder((look.model, look.trust_remote_code, look.revision))
        except InputError as error:
            tell(_plain_preview(data, look, str(error)))
            return
        except Exception as error:  # a broken tokenizer raises anything
            tell(_plain_preview(data, look, f"{type(error).__name__}: {error}"))
            return
        try:
            preview = preview_prompts(data, look, encoder, lambda: number != self._newest_look)
        except InputError as error:  # such as a chat without a chat template
            preview = Preview(0, error=str(error))
        if preview is not None:
            tell(preview)

    def _split(self, job: Job, text: str, number: int, tell: Callable[[Split], object]) -> None:
        if number != self._newest_split:
            return
        wanted = (job.model, job.trust_remote_code, job.revision)
        try:
            with panics_caught():
                places = self._load_encoder(wanted).places(text)
        except InputError as error:
            tell(Split(text, words(text), str(error)))
        except Exception as error:  # a broken tokenizer raises anything
            tell(Split(text, words(text), f"{type(error).__name__}: {error}"))
        else:
            tell(Split(text, tuple((start, end) for _, start, end in places)))

    def _load_encoder(self, wanted: _WantedTokenizer) -> Encoder:
        if self._model is not None and self._model[0][:3] == wanted:
            return self._model[1].encoder
        if self._encoder is None or self._encoder[0] != wanted:
            from mlxjsd.model.load import load_encoder

            model, trust_remote_code, revision = wanted
            self._encoder = (wanted, load_encoder(model, revision, trust_remote_code))
        return self._encoder[1]


@contextmanager
def _failures_told(
    tell: Tell, remedy: str = "The prompts measured so far are kept."
) -> Iterator[None]:
    """Tell of whatever goes wrong inside, and what to do: the app has to stay usable."""
    try:
        with panics_caught():
            yield
    except InputError as error:
        tell(Failed(str(error), "Change the settings, or choose something else."))
    except (MeasurementError, MachineError) as error:
        tell(Failed(str(error), remedy))
    except Exception as error:
        tell(_explain(error, remedy))


def preview_prompts(
    data: PromptFile, look: Look, encoder: Encoder, outdated: Callable[[], bool]
) -> Preview | None:
    """Encode a file's prompts as a run would; None if ``outdated`` says so meanwhile."""
    # A swap's partner may stand behind the limit, so all prompts are encoded.
    encoded, skipped = {}, {}
    for position, _, found in encode_prompts(
        encoder, data.prompts, look.settings.prompt_template, look.settings.chat
    ):
        if outdated():
            return None
        if isinstance(found, str):
            skipped[position] = found
        else:
            encoded[position] = found
    if look.settings.corruption == "swap":
        partners = choose_partners(list(encoded.values()), look.settings, encoder)
        for position, prompt in encoded.items():
            if prompt.prompt.id not in partners:
                skipped[position] = why_no_partner(prompt, look.settings.swap_any)
    total = min(len(data.prompts), look.limit or len(data.prompts))
    reasons = Counter(reason for position, reason in skipped.items() if position < total)
    measured = [(at, e) for at, e in encoded.items() if at < total and at not in skipped]
    drawn = None
    if look.sample is not None:
        measured = draw(measured, look.sample, look.settings.seed)
        drawn = len(measured)
    shown = tuple(
        Shown(encoder.pieces(e), (e.start, e.end), known_of(e.prompt))
        for _, e in measured[: look.first]
    )
    answers = AnswersTally([e.prompt for _, e in measured])
    told = [answers.sentence(), *data.described()] if measured else data.described()
    return Preview(total, dict(reasons.most_common()), drawn, shown, " ".join(told))


def _plain_preview(data: PromptFile, look: Look, why: str) -> Preview:
    """Show the subjects' characters where no tokenizer is at hand to say which tokens."""
    total = min(len(data.prompts), look.limit or len(data.prompts))
    shown = []
    for given in data.prompts[: min(total, look.first)]:
        try:
            prompt = fill(look.settings.prompt_template, given)
            start, end = prompt.place()
        except Unusable:
            prompt, start, end = given, 0, 0
        tokens = prompt.text[:start], prompt.text[start:end], prompt.text[end:]
        shown.append(Shown(tokens, (1, 2), known_of(prompt)))
    return Preview(total, prompts=tuple(shown), note=why)


def _explain(error: Exception, remedy: str) -> Failed:
    said = said_by(error, 600)
    reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if is_out_of_memory(error):
        return Failed(
            f"There is not enough memory. {reason}",
            "Choose a smaller batch, a smaller model or one with fewer bits, or close other "
            f"programs. {remedy}",
        )
    return Failed(reason, f"{remedy} `mlxjsd run` with the same options shows where this happened.")


def _told(tell: Tell) -> Callable[[str, int, int], None]:
    """Return what passes on how far a download is, in whole megabytes."""
    said = -1

    def progress(what: str, done: int, total: int) -> None:
        nonlocal said
        if done // 1_000_000 > said:
            said = done // 1_000_000
            tell(Loading(f"{what}: {said} of {total // 1_000_000} MB"))

    return progress
