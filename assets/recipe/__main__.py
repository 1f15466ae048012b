"""Make the bundled model and the bundled prompts from the tables of facts.

    python -m mlxjsd.assets.recipe [--work FOLDER] [--steps N] [--seed N]

Stop it at any time; the same command goes on from the last checkpoint.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_map
from mlx_lm.utils import quantize_model, save_config, save_model
from rich import print

from mlxjsd.assets import MODEL, PROMPTS
from mlxjsd.assets.recipe.corpus import (
    KINDS,
    TRAINED,
    bundled_prompts,
    split_facts,
    tokenizer_text,
)
from mlxjsd.assets.recipe.evaluate import share_correct
from mlxjsd.assets.recipe.settings import Recipe
from mlxjsd.assets.recipe.tokenizer import save_tokenizer, train_tokenizer
from mlxjsd.assets.recipe.train import model_config, train
from mlxjsd.assets.tables import read_facts


def main() -> None:
    """Run the recipe from the tables to the files in ``assets/``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".train"), help="for checkpoints")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--model", type=Path, default=MODEL, help="where the model goes")
    parser.add_argument("--prompts", type=Path, default=PROMPTS, help="where the prompts go")
    options = parser.parse_args()
    recipe = replace(Recipe(), steps=options.steps, seed=options.seed)
    options.work.mkdir(parents=True, exist_ok=True)
    options.model.mkdir(parents=True, exist_ok=True)

    facts = read_facts()
    split = split_facts(facts, recipe)
    sentences = [s for fact in split[TRAINED] for s in fact.sentences()]
    counts = ", ".join(f"{len(part)} {kind}" for kind, part in split.items())
    print(f"{len(facts)} facts ({counts}), {len(sentences)} sentences")
    tokenizer = train_tokenizer(tokenizer_text(facts), recipe.vocab_size)

    model = train(recipe, tokenizer, sentences, options.work)
    # bfloat16 scales and biases, as in the models that people use.
    model.update(tree_map(lambda a: a.astype(mx.bfloat16), model.parameters()))
    model, config = quantize_model(
        model, model_config(recipe), group_size=recipe.group_size, bits=recipe.bits
    )
    save_model(options.model, model, donate_model=False)
    # One file of weights needs no index.
    (options.model / "model.safetensors.index.json").unlink(missing_ok=True)
    save_config(config, options.model / "config.json")
    save_tokenizer(tokenizer, options.model)

    partial_file = options.prompts.with_suffix(".partial")
    with partial_file.open("w", encoding="utf-8") as file:
        for prompt in bundled_prompts(split, recipe):
            file.write(json.dumps(prompt, ensure_ascii=False) + "\n")
    partial_file.replace(options.prompts)

    for kind in KINDS:
        asked = split[kind][: None if kind == TRAINED else 500]
        share = share_correct(model, tokenizer, asked)
        print(f"{share:.2%} of {len(asked)} {kind} facts answered at {recipe.bits} bits")


if __name__ == "__main__":
    main()
