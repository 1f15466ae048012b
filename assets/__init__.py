"""What ships with mlxjsd: a small model, the facts it was trained on, and prompts about them."""

from pathlib import Path

ASSETS = Path(__file__).resolve().parent
#: The bundled model, in MLX-LM's own on-disk format.
MODEL = ASSETS / "model"
#: The bundled prompts, in mlxjsd's own JSON Lines format.
PROMPTS = ASSETS / "prompts.jsonl"
#: Heatmaps read off published figures, to compare with.
PUBLISHED = ASSETS / "published"
#: One table of facts for each kind of subject.
FACTS = ASSETS / "facts"
#: What each column of a table asserts, and how a sentence says it.
RELATIONS = ASSETS / "relations.json"
#: What countries are called, for ``--aliases countries``.
COUNTRIES = ASSETS / "countries.tsv"
