"""One sentence, measured right now: the batches of a run, without a run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.calibration import Calibration, place_among
from mlxjsd.asked import Asked, NextTokens
from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError, MeasurementError
from mlxjsd.interventions.corruption import Corruption
from mlxjsd.interventions.next_tokens import next_token_probabilities
from mlxjsd.maps import RESIDUAL
from mlxjsd.metrics import LOGIT_DIFF
from mlxjsd.model.anatomy import ONE_PASS
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.encode import Encoded, Unusable
from mlxjsd.prompts.prompt import Counterfactual, Prompt, PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.prompts.sentence import NAME, Sentence, read_sentence, without_marks
from mlxjsd.results import Run
from mlxjsd.run.experiment import measure
from mlxjsd.run.plan import encode_all, plan_run
from mlxjsd.settings import Labelling, Settings
from mlxjsd.store.reader import read_run

#: Next tokens that are named of each run.
LIKELIEST = 5


def ask(
    model: LoadedModel,
    sentence: str | Sentence,
    settings: Settings | None = None,
    *,
    subject: str | None = None,
    against: str | None = None,
    answer: str | None = None,
    calibrated_by: Run | Path | str | None = None,
    maps: Sequence[str] | None = None,
) -> Asked:
    """Measure one sentence, as a run measures each of its prompts.

    The noise is scaled as in a run on the bundled prompts: by the standard deviation of the
    embeddings of their subjects' tokens. Meng et al. 2022 scale it by that over their data; the
    few tokens of one subject are too few to estimate it from.

    Args:
        model: to be measured.
        sentence: with its subject in brackets, as "The [Eiffel Tower] is located in the city of".
        settings: what is measured; the corruption is noise, or a pair with ``against``.
        subject: names it where no brackets mark it.
        against: the same words about another subject of as many tokens. It takes the place of
            noise, and the logit difference between both predictions is measured as well.
        answer: what is right, for the target ``answer``.
        calibrated_by: a run of the same model, or its folder, among whose FA, AH and UH the
            reliance is placed.
        maps: over all tokens, as :attr:`mlxjsd.settings.Settings.maps`. None for those of the
            settings or, if there are none, the residual stream on a model that has the one pass.

    Raises:
        InputError: if the sentence has no subject or cannot be measured, the other one is not of
            its structure, or the run is of another model.
        MeasurementError: if an invariant does not hold, or a number is none.
    """
    typed = sentence if isinstance(sentence, Sentence) else read_sentence(sentence, subject)
    settings = _settings(model, settings or Settings(), against is not None, answer, maps)
    prompt = typed.prompt(() if answer is None else (answer,))
    encoded = _encoded(model, prompt, settings, "the sentence")
    if against is None:
        source, corrupted_by = _noise(model, settings)
    else:
        other = _other(typed, against)
        _check_structure(encoded, _encoded(model, other.prompt(), settings, "the other sentence"))
        # Its subject stands where this one's does; its words need not be looked for.
        prompt = replace(prompt, counterfactual=Counterfactual(other.text))
        source, corrupted_by = None, f"the subject is replaced by '{other.subject}'"
    calibrating = None if calibrated_by is None else _calibrating(model, calibrated_by)
    plan = plan_run(
        model,
        PromptFile.of([prompt], NAME),
        settings,
        labelling=Labelling(max_tokens=None),
        sources=None if source is None else {NAME: source},
    )
    run = measure(plan, progress=False)
    if not run.records:
        raise MeasurementError(
            f"the sentence cannot be measured: {run.failed[0].reason}", hint="try `mlxjsd check`"
        )
    found = next_token_probabilities(model.blocks, plan.corruption.batch(plan.passes[0]))
    predicted = int(found["clean"][0].argmax())
    return Asked(
        run,
        tuple(_likeliest(model, name, p[0], predicted) for name, p in found.items()),
        corrupted_by,
        None if calibrating is None else _calibration(run, *calibrating),
    )


def _settings(
    model: LoadedModel,
    settings: Settings,
    paired: bool,
    answer: str | None,
    maps: Sequence[str] | None,
) -> Settings:
    """Return what is measured, with the corruption and the maps that one sentence has."""
    if settings.corruption != "noise" and not paired:
        raise InputError(
            f"one sentence alone has no {settings.corruption}",
            hint="give the other one with --against, or leave --corruption out",
        )
    if settings.target == "answer" and answer is None:
        raise InputError("the target is the answer, and none is given", hint="add --answer")
    if maps is None:
        usual = (RESIDUAL.key,) if model.identity.path == ONE_PASS else ()
        maps = settings.maps or usual
    metrics = settings.metrics
    if paired:
        metrics = tuple(dict.fromkeys([*metrics, LOGIT_DIFF.key]))
    corruption = "pair" if paired else "noise"
    return replace(settings, maps=tuple(maps), metrics=metrics, corruption=corruption)


def _encoded(model: LoadedModel, prompt: Prompt, settings: Settings, what: str) -> Encoded:
    try:
        return model.encoder.encode(prompt, settings.prompt_template, settings.chat)
    except Unusable as reason:
        raise InputError(
            f"{what} cannot be measured: {reason}", hint="write it otherwise"
        ) from None


def _noise(model: LoadedModel, settings: Settings) -> tuple[Mapping[str, Any], str]:
    """Return how strong the noise is, as a record's source says it, and the same in words."""
    data = read_prompts(PROMPTS)
    usable = [encoded for _, encoded in encode_all(model, data, settings)[0]]
    if not usable:
        raise InputError(
            "none of the bundled prompts, which scale the noise, can be read by this model",
            hint="give another sentence with --against",
        )
    with Corruption(settings, usable, model) as corruption:
        source = corruption.source(usable[0])
    draws = f", mean of {settings.noise_samples} draws" if settings.noise_samples > 1 else ""
    return source, (
        f"noise of {settings.noise_level:g} standard deviations of the embeddings of subjects "
        f"({len(usable)} bundled prompts){draws}"
    )


def _other(typed: Sentence, against: str) -> Sentence:
    """Return the other sentence of a pair; without brackets, its subject is what differs."""
    before, after = typed.text[: typed.start], typed.text[typed.end :]
    text, place = without_marks(against)
    fits = text.startswith(before) and text.endswith(after)
    middle = len(before), len(text) - len(after)
    if not fits or middle[0] >= middle[1] or place not in (None, middle):
        raise InputError(
            "the two sentences differ elsewhere than in their subjects",
            hint="write the same words around another subject",
        )
    return read_sentence(text, text[slice(*middle)]) if place is None else read_sentence(against)


def _check_structure(one: Encoded, other: Encoded) -> None:
    """Raise ``InputError`` unless the subjects of both sentences are the same tokens."""
    subjects = [f"'{each.prompt.subject}'" for each in (one, other)]
    lengths = [len(each.tokens) for each in (one, other)]
    if lengths[0] != lengths[1]:
        of_subjects = [each.end - each.start for each in (one, other)]
        raise InputError(
            f"the sentence has {lengths[0]} tokens and the other one {lengths[1]}: {subjects[0]} "
            f"has {of_subjects[0]} and {subjects[1]} {of_subjects[1]}",
            hint="choose a subject of as many tokens",
        )
    around = [(each.tokens[: one.start], each.tokens[one.end :]) for each in (one, other)]
    if around[0] != around[1]:
        raise InputError(
            f"around {subjects[0]} and {subjects[1]} the tokens differ",
            hint="choose another subject",
        )
    if one.tokens == other.tokens:
        raise InputError("the two sentences are the same", hint="choose another subject")


def _calibrating(model: LoadedModel, given: Run | Path | str) -> tuple[Run, str]:
    """Return the run that calibrates, and its name."""
    run, name = (given, "the run") if isinstance(given, Run) else (read_run(given), str(given))
    if run.model.get("sha256") != model.identity.sha256:
        raise InputError(
            f"{name} is a run of {run.model.get('name')}, and not of this model's files",
            hint="give a run of the same model with --calibrated-by",
        )
    run.categories()  # or say that it has none
    return run, name


def _calibration(asked: Run, run: Run, name: str) -> Calibration:
    framed = [(r.settings.prompt_template, r.settings.chat) for r in (asked, run)]
    notes = [] if framed[0] == framed[1] else [
        "The run puts its prompts in other words (template or chat) than this sentence is put."
    ]  # fmt: skip
    lean = [record.reliance for record in run.records]
    return place_among(asked.records[0].reliance, lean, run.labels(), name, notes)


def _likeliest(
    model: LoadedModel, name: str, probabilities: np.ndarray, predicted: int
) -> NextTokens:
    """Return the likeliest of (V,) next tokens."""
    ids = np.argsort(-probabilities, kind="stable")[:LIKELIEST].tolist()
    return NextTokens(
        name,
        tuple(model.encoder.decode([token]) for token in ids),
        tuple(ids),
        tuple(float(probabilities[token]) for token in ids),
        float(probabilities[predicted]),
    )


__all__ = ["LIKELIEST", "ask"]
