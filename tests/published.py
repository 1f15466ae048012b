"""A record of each format, with the fields that are published and facts that are made up."""

import csv
import io
import json
from pathlib import Path
from typing import Any


def save(tmp_path: Path, content: object, name: str = "data.json") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    path.write_text(text, encoding="utf-8")
    return path


def tabled(rows: list[dict[str, Any]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


KNOWN = {
    "known_id": 4,
    "subject": "Mount Tarvo",
    "attribute": " Norland ",
    "template": "{} can be found in",
    "prediction": " Norland",
    "prompt": "Mount Tarvo lies in the country of",
    "relation_id": "P17",
}
REWRITE = {
    "prompt": "The mother tongue of {} is",
    "relation_id": "P103",
    "target_new": {"str": "English", "id": "Q1860"},
    "target_true": {"str": "French", "id": "Q150"},
    "subject": "Anna Vell",
}
COUNTERFACT = {
    "case_id": 0,
    "pararel_idx": 2796,
    "requested_rewrite": REWRITE,
    "paraphrase_prompts": ["Anna Vell, a native"],
    "neighborhood_prompts": ["Ben Orr spoke"],
}
EASY_EDIT = {
    "case_id": 7,
    "prompt": "The mother tongue of Anna Vell is",
    "target_new": "English",
    "subject": "Anna Vell",
    "ground_truth": "French",
    "rephrase_prompt": "Anna Vell spoke",
}
RELATION = {
    "name": "country capital city",
    "prompt_templates": ["The capital city of {} is", "In {}, the capital is"],
    "prompt_templates_zs": ["What is the capital of {}? It is"],
    "properties": {"relation_type": "factual", "symmetric": False},
    "samples": [
        {"subject": "Norland", "object": "Tarvo"},
        {"subject": "Sudland", "object": "Orr"},
    ],
}
POPQA = {
    "id": 4222362,
    "subj": "Anna Vell",
    "prop": "occupation",
    "obj": "politician",
    "s_aliases": '["A. Vell"]',
    "s_pop": 142,
    "o_pop": 25692,
    "question": "What is Anna Vell's occupation?",
    "possible_answers": '["politician", "political \\"leader\\""]',
}
ENTITY = {"question": "Where was Anna Vell born?", "answers": ["Tarvo", "Old Tarvo"]}
OWN = {
    "prompt": "The capital of Norland is",
    "subject": "Norland",
    "answers": ["Tarvo", "Old Tarvo"],
    "relation": "capital",
    "id": "n",
    "subject_start": 15,
    "popularity": 2.5,
}
TRACING = {
    "relation": "The mother tongue of {} is",
    "relation_prefix": "The mother tongue of",
    "relation_suffix": "is",
    "prompt": "The mother tongue of Anna Vell is",
    "relation_id": "P103",
    "target_false_id": "Q1860",
    "target_true_id": "Q150",
    "target_true": " French",
    "target_false": " English",
    "subject": "Anna Vell",
}
KNOW_EDIT = {
    "subject": "Anna Vell",
    "prompt": "The place of birth of Anna Vell is",
    "target_new": "Orr",
    "ground_truth": [["Tarvo", "Old Tarvo"]],
    "portability": {},
    "locality": {},
}
ZSRE = {
    "subject": "Anna Vell",
    "src": "Which university did Anna Vell attend?",
    "pred": "Orr College",
    "rephrase": "Where did Anna Vell study?",
    "alt": "University of Orr",
    "answers": ["Tarvo University"],
    "loc": "nq question: who plays the king",
    "loc_ans": "Ben Orr",
    "cond": "Orr College >> University of Orr || Which university did Anna Vell attend?",
}
MQUAKE = {
    "case_id": 3,
    "requested_rewrite": [{**REWRITE, "question": "What does Anna Vell speak?"}],
    "questions": ["What is the capital of the country that Anna Vell is from?"],
    "answer": "Tarvo",
    "answer_alias": [],
    "single_hops": [
        {
            "question": "Where is Anna Vell from?",
            "cloze": "Anna Vell is a citizen of",
            "answer": "Norland",
            "answer_alias": ["Kingdom of Norland", "Norland"],
        },
        {
            "question": "What is the capital of Norland?",
            "cloze": "The capital of Norland is",
            "answer": "Tarvo",
            "answer_alias": [],
        },
    ],
    "orig": {
        "triples": [["Q1", "P27", "Q2"], ["Q2", "P36", "Q3"]],
        "triples_labeled": [
            ["Anna Vell", "country of citizenship", "Norland"],
            ["Norland", "capital", "Tarvo"],
        ],
    },
}
#: LAMA's, and nearly ParaRel's, mParaRel's and BEAR's.
CLOZE_ROW = {
    "uuid": "4b1c",
    "sub_uri": "Q1",
    "sub_label": "Mount Tarvo",
    "obj_uri": "Q2",
    "obj_label": "Norland",
}
TRIPLE = {"subject": "Norland", "relation": "The capital of {} is", "object": "Tarvo"}
