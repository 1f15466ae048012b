r"""The words around every prompt: a template such as ``Question: {prompt}\nAnswer:``.

A question alone is no text that a model would go on with by answering. The subject's place is
computed, not looked for again: its text may well occur in the template's own words.
"""

from dataclasses import replace

from mlxjsd.prompts.prompt import Prompt
from mlxjsd.settings import GAP


def fill(template: str | None, prompt: Prompt) -> Prompt:
    """Return ``prompt`` with a template's words around it, and its subject where it now stands.

    Args:
        template: words with one gap for the prompt; None for none.
        prompt: as it stands in its file.

    Raises:
        Unusable: if its subject is not in its text, whatever the template's words are.
    """
    start, _ = prompt.place()
    if template is None:
        return prompt
    before, _, after = template.partition(GAP)
    return replace(prompt, text=before + prompt.text + after, subject_start=len(before) + start)
