"""Made-up records and headers, for tests of what comes after the measuring."""

from typing import Any

import numpy as np

from mlxjsd.results import Record, Run, Skipped
from mlxjsd.settings import Settings

LAYERS = 8
HEADER: dict[str, Any] = {
    "settings": Settings().to_json(),
    "model": {"name": "tiny", "family": "llama", "sha256": "aa"},
    "data": {"file": "prompts.jsonl", "sha256": "bb", "prompts": 4},
    "data_path": "prompts.jsonl",
    "limit": None,
    "labelling": {"max_tokens": 10, "match": "contains", "reliance_threshold": None},
    "versions": {"mlx": "0"},
    "layers": LAYERS,
    "total": 4,
}


def record(position: int, layers: int = LAYERS, **changes: Any) -> Record:
    """A record whose numbers depend on its position alone."""
    rng = np.random.default_rng(position)
    fields: dict[str, Any] = {
        "id": f"p{position}",
        "position": position,
        "text": f"The capital of country {position} is",
        "subject": f"country {position}",
        "relation": "capital",
        "answers": ("Paris", "Lutetia"),
        "token_ids": (0, 5, 6, 7, 8),
        "tokens": ("<s>", "The capital of", " country", f" {position}", " is"),
        "subject_span": (2, 4),
        "source": {"kind": "noise"},
        "prediction": " Par" if position % 2 else " Lon",
        "probability": 0.5,
        "entropy": 1.25,
        "jsd": rng.random((3, layers), dtype=np.float32) * 0.69,
        "reliance": float(rng.random()),
        "floor": 1e-9 * position,
        "norms": rng.random(layers, dtype=np.float32) + 1,
        "answer": "in Paris" if position % 3 == 0 else "London",
    }
    return Record(**{**fields, **changes})


def run_of(count: int = 4, layers: int = LAYERS, **changes: Any) -> Run:
    """A finished run of made-up records."""
    fields: dict[str, Any] = {
        "settings": Settings(),
        "model": HEADER["model"],
        "data": HEADER["data"],
        "versions": HEADER["versions"],
        "layers": layers,
        "total": count,
        "records": [record(i, layers) for i in range(count)],
        "labelling": HEADER["labelling"],
        "skipped": [Skipped("s", 9, "the subject is not in the text")],
    }
    return Run(**{**fields, **changes})
