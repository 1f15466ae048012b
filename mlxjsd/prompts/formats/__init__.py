"""Reading prompts from the files that are published, each format recognised by its content."""

#: The names for ``--format``. The first four hold the fields of mlxjsd's own prompts.
FORMATS = (
    "jsonl",
    "json",
    "csv",
    "tsv",
    "known_1000",
    "counterfact",
    "lre",
    "popqa",
    "entity_questions",
)
