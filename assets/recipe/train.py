"""Training, resumable: state is saved as it goes and picked up where it stopped."""

import json
import math
import random
from collections import defaultdict
from dataclasses import asdict
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.models import llama
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tokenizers import Tokenizer

from mlxjsd.assets.recipe.settings import Recipe
from mlxjsd.assets.recipe.tokenizer import BOS, EOS


def model_config(recipe: Recipe) -> dict[str, object]:
    """Return the ``config.json`` of the bundled model."""
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": recipe.hidden_size,
        "num_hidden_layers": recipe.layers,
        "intermediate_size": recipe.intermediate_size,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.kv_heads,
        "rms_norm_eps": 1e-5,
        "vocab_size": recipe.vocab_size,
        "rope_theta": recipe.rope_theta,
        "max_position_embeddings": 256,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }


def new_model(recipe: Recipe) -> llama.Model:
    """Build the model with the weights that training starts from."""
    mx.random.seed(recipe.seed)
    model = llama.Model(llama.ModelArgs.from_dict(model_config(recipe)))
    # Each block adds two terms to the residual stream; smaller output projections keep the
    # sum over many blocks near the scale of one.
    small = 2 / math.sqrt(2 * recipe.layers)

    def drawn(name: str, weight: mx.array) -> mx.array:
        output = name.endswith(("o_proj.weight", "down_proj.weight"))
        scale = recipe.initial_deviation * (small if output else 1.0)
        return mx.random.normal(weight.shape, scale=scale)

    weights = tree_flatten(model.parameters())
    model.update(tree_unflatten([(n, drawn(n, w)) for n, w in weights if w.ndim > 1]))
    return model


def batches(token_lists: list[list[int]], size: int, seed: int, epoch: int) -> list[mx.array]:
    """Shuffle one epoch into batches of sentences of one length each, so none is padded."""
    rng = random.Random(f"{seed}/{epoch}")  # noqa: S311 - an order, no secret
    by_length: defaultdict[int, list[list[int]]] = defaultdict(list)
    for tokens in token_lists:
        by_length[len(tokens)].append(tokens)
    groups = []
    for same in by_length.values():
        rng.shuffle(same)
        groups += [same[at : at + size] for at in range(0, len(same), size)]
    rng.shuffle(groups)
    return [mx.array(group) for group in groups]


def curriculum(recipe: Recipe, token_lists: list[list[int]]) -> list[mx.array]:
    """Return the batch of every step: all sentences, over and over."""
    epochs = (batches(token_lists, recipe.batch_size, recipe.seed, epoch) for epoch in count())
    return list(islice(chain.from_iterable(epochs), recipe.steps))


def _loss(model: nn.Module, tokens: mx.array) -> mx.array:
    logits = model(tokens[:, :-1])
    return nn.losses.cross_entropy(logits, tokens[:, 1:], reduction="mean")


def train(recipe: Recipe, tokenizer: Tokenizer, sentences: list[str], work: Path) -> llama.Model:
    """Train on the sentences, going on from ``work`` if a state lies there.

    Raises ``ValueError`` if the state in ``work`` belongs to other settings.
    """
    (bos,), (eos,) = (tokenizer.encode(t, add_special_tokens=False).ids for t in (BOS, EOS))
    encoded = [tokenizer.encode(s, add_special_tokens=False).ids for s in sentences]
    lessons = curriculum(recipe, [[bos, *ids, eos] for ids in encoded])
    model = new_model(recipe)
    warmup = optim.linear_schedule(0.0, recipe.peak_learning_rate, recipe.warmup_steps)
    cosine = optim.cosine_decay(recipe.peak_learning_rate, recipe.steps - recipe.warmup_steps, 0.0)
    schedule = optim.join_schedules([warmup, cosine], [recipe.warmup_steps])
    optimizer = optim.AdamW(
        schedule, betas=list(recipe.betas), weight_decay=recipe.weight_decay, bias_correction=True
    )
    optimizer.init(model.trainable_parameters())
    done, smooth = _restore(model, optimizer, recipe, work)

    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def update(tokens: mx.array) -> mx.array:
        loss, gradients = nn.value_and_grad(model, _loss)(model, tokens)
        gradients, _ = optim.clip_grad_norm(gradients, recipe.clip_norm)
        optimizer.update(model, gradients)
        return loss

    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} steps, loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        bar = progress.add_task("", total=len(lessons), completed=done, loss=smooth)
        for step, tokens in enumerate(lessons[done:], start=done + 1):
            loss = update(tokens)
            mx.eval(loss, state)
            now = cast(float, loss.item())
            smooth = now if smooth == 0 else 0.98 * smooth + 0.02 * now
            progress.update(bar, completed=step, loss=smooth)
            if step % recipe.checkpoint_every == 0 or step == len(lessons):
                _save(model, optimizer, recipe, {"step": step, "loss": smooth}, work)
    return model


def _training_settings(recipe: Recipe) -> str:
    """Return what a state depends on; which prompts are drawn later is not among it."""
    settings = asdict(recipe).items()
    return json.dumps(
        {k: v for k, v in settings if k != "commonest_answer" and not k.endswith("_prompts")}
    )


def _save(
    model: nn.Module,
    optimizer: optim.Optimizer,
    recipe: Recipe,
    place: dict[str, float],
    work: Path,
) -> None:
    arrays = {f"model.{k}": v for k, v in tree_flatten(model.parameters())}
    arrays |= {f"optimizer.{k}": v for k, v in tree_flatten(optimizer.state)}
    metadata = {"place": json.dumps(place), "recipe": _training_settings(recipe)}
    partial_file = work / "state.partial.safetensors"
    mx.save_safetensors(str(partial_file), arrays, metadata)
    partial_file.replace(work / "state.safetensors")  # whole, or not there


def _restore(
    model: nn.Module, optimizer: optim.Optimizer, recipe: Recipe, work: Path
) -> tuple[int, float]:
    file = work / "state.safetensors"
    if not file.exists():
        return 0, 0.0
    loaded: Any = mx.load(str(file), return_metadata=True)
    arrays, metadata = loaded
    if metadata["recipe"] != _training_settings(recipe):
        raise ValueError(f"{file} was trained with other settings; remove it or use another --work")
    for target, prefix in ((model, "model."), (optimizer, "optimizer.")):
        own = [(k.removeprefix(prefix), v) for k, v in arrays.items() if k.startswith(prefix)]
        if target is model:
            model.update(tree_unflatten(own))
        else:
            optimizer.state = tree_unflatten(own)
    place = json.loads(metadata["place"])
    return place["step"], place["loss"]
