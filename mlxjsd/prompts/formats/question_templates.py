"""The questions of EntityQuestions and PopQA, for finding the subject inside them.

EntityQuestions (Sciavolino et al. 2021) gives only the question, and PopQA (Mallen et al. 2023)
not where its subject stands, but both wrote all questions of a relation from one template.
"""

from mlxjsd.errors import InputError

#: By Wikidata property; [X] is the subject.
ENTITY_QUESTIONS = {
    "P17": "Which country is [X] located in?",
    "P19": "Where was [X] born?",
    "P20": "Where did [X] die?",
    "P26": "Who is [X] married to?",
    "P36": "What is the capital of [X]?",
    "P40": "Who is [X]'s child?",
    "P50": "Who is the author of [X]?",
    "P69": "Where was [X] educated?",
    "P106": "What kind of work does [X] do?",
    "P112": "Who founded [X]?",
    "P127": "Who owns [X]?",
    "P131": "Where is [X] located?",
    "P136": "What type of music does [X] play?",
    "P159": "Where is the headquarter of [X]?",
    "P170": "Who was [X] created by?",
    "P175": "Who performed [X]?",
    "P176": "Which company is [X] produced by?",
    "P264": "What music label is [X] represented by?",
    "P276": "Where is [X] located?",
    "P407": "Which language was [X] written in?",
    "P413": "What position does [X] play?",
    "P495": "Which country was [X] created in?",
    "P740": "Where was [X] founded?",
    "P800": "What is [X] famous for?",
}
#: Of PopQA.
POPQA = (
    "What is [X]'s occupation?",
    "In what city was [X] born?",
    "What genre is [X]?",
    "Who is the father of [X]?",
    "Who is the mother of [X]?",
    "In what country is [X]?",
    "Who was the producer of [X]?",
    "Who was the director of [X]?",
    "Who was the screenwriter for [X]?",
    "Who was the composer of [X]?",
    "Who is the author of [X]?",
    "What is the capital of [X]?",
    "What is [X] the capital of?",
    "What color is [X]?",
    "What is the religion of [X]?",
    "What sport does [X] play?",
)


def match(question: str, template: str) -> tuple[str, int] | None:
    """Return the subject and its offset, if ``question`` was written from ``template``."""
    before, _, after = template.partition("[X]")
    subject = question[len(before) : len(question) - len(after)]
    if not subject.strip() or question != before + subject + after:
        return None
    return subject, len(before)


def subject_of(question: str, relation: str | None) -> tuple[str, int, str]:
    """Find what an EntityQuestions question is about.

    Args:
        question: as it is published.
        relation: of the file, if its name says so: two relations ask the same question.

    Returns:
        The subject, its character offset, and the relation.

    Raises:
        InputError: if no relation asks like this.
    """
    names = sorted(ENTITY_QUESTIONS, key=lambda name: name != relation)
    for name in names:
        if found := match(question, ENTITY_QUESTIONS[name]):
            return *found, name
    raise InputError(
        f"no relation of EntityQuestions asks {question[:80]!r}, so its subject is not known",
        hint='give such questions as {"prompt": ..., "subject": ...}',
    )
