r"""The words around every prompt: a template such as ``Question: {prompt}\nAnswer:``.

A question alone is no text that a model would go on with by answering. The subject's place is
computed, not looked for again: its text may well occur in the template's own words.
"""

from dataclasses import replace

from mlxjsd.errors import InputError
from mlxjsd.prompts import Prompt

#: Where the prompt stands.
GAP = "{prompt}"


def template_from(argument: str | None) -> str | None:
    r"""Return the template that was typed: a shell passes ``\n`` on as two characters."""
    return None if argument is None else argument.replace("\\n", "\n")


def check_template(template: str) -> None:
    """Raise ``InputError`` for a template that cannot be filled in."""
    if template.count(GAP) != 1:
        raise InputError(
            f"the prompt template must hold {GAP} once, as in "
            f"'Question: {GAP}\\nAnswer:', not {template[:80]!r}"
        )
    try:
        template.encode()
    except UnicodeEncodeError:
        raise InputError("the prompt template is not UTF-8 text; type it anew") from None


def fill(template: str | None, prompt: Prompt) -> Prompt:
    """Return ``prompt`` with a template's words around it, and its subject where it now stands.

    A prompt without its subject is returned as it is: it stays unusable, whatever the
    template's words are.
    """
    chars = prompt.subject_chars()
    if template is None or chars is None:
        return prompt
    before, _, after = template.partition(GAP)
    return replace(prompt, text=before + prompt.text + after, subject_start=len(before) + chars[0])
