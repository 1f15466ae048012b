"""What is known of a file's answers, said before anything is measured."""

from collections.abc import Sequence

from mlxjsd.prompts.prompt import Prompt
from mlxjsd.text import clean


class AnswersTally:
    """Counts the prompts that have answers, and their relations."""

    def __init__(self, prompts: Sequence[Prompt] = ()) -> None:
        """Begin with some ``prompts``."""
        self.total = self.answered = 0
        self._relations: set[str] = set()
        for prompt in prompts:
            self.add(prompt)

    def add(self, prompt: Prompt) -> None:
        """Count one prompt."""
        self.total += 1
        self.answered += bool(prompt.answers)
        if prompt.relation is not None:
            self._relations.add(prompt.relation)

    def sentence(self) -> str:
        """Say what was counted."""
        said = f"{self.answered} of {self.total} prompts have answers"
        if not self.answered:
            said += ", so nothing will be judged"
        count = len(self._relations)
        of = f" They are of {count} relation{'s' * (count != 1)}." if count else ""
        return f"{said}.{of}"


def known_of(prompt: Prompt) -> str:
    """Return the answers and the relation of a prompt on one line; "" where there are none."""
    answers = " | ".join(map(clean, prompt.answers))
    relation = f"({clean(prompt.relation)})" if prompt.relation is not None else ""
    return "  ".join(part for part in (answers, relation) if part)
