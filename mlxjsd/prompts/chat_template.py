"""A tokenizer's chat template around a prompt, up to where the model's answer begins."""

from dataclasses import replace
from typing import Any

from mlxjsd.errors import InputError, said_by
from mlxjsd.prompts.prompt import Prompt, Unusable
from mlxjsd.time_limit import time_limit

#: Some templates write today's date; a run that goes on tomorrow must read the same prompts.
#: This is the day that Llama's templates fall back on, whatever format they ask for.
_DAY = {
    **{"%d": "26", "%-d": "26", "%e": "26", "%m": "07", "%-m": "7", "%y": "24", "%Y": "2024"},
    **{"%a": "Fri", "%A": "Friday", "%b": "Jul", "%B": "July", "%j": "208"},
    **{"%H": "12", "%I": "12", "%M": "00", "%S": "00", "%p": "PM"},
}
_REPLACED = "".join(f" | replace('{code}', '{said}')" for code, said in _DAY.items())
#: Written in front of a template; it takes the place of transformers' function of that name.
#: The line break goes with the block, as transformers sets Jinja up, and so the template still
#: begins at the beginning of a line.
_ONE_DAY = f"{{% macro strftime_now(format) %}}{{{{ format{_REPLACED} }}}}{{% endmacro %}}\n"
#: A template is a program, which may not end by itself.
SECONDS = 10
#: Stands in for a prompt, in order to see what is put around one.
_MARK = "\ue000prompt\ue001"


class Chat:
    """Puts prompts as a user's turn, and opens the answer's.

    What stands around a prompt is learnt once, so a prompt's place is known exactly even if its
    text or its subject occurs in the template's own words.
    """

    def __init__(self, tokenizer: Any) -> None:
        """Learn the template of a tokenizer of transformers.

        Raises:
            InputError: if it has none, or one that cannot be used.
        """
        self._tokenizer = tokenizer
        self._template = ""
        if not getattr(tokenizer, "chat_template", None):
            raise InputError(
                "this model's tokenizer has no chat template",
                hint="leave --chat out, or name a model that was trained to chat",
            )
        try:
            self._template = _ONE_DAY + tokenizer.get_chat_template()
            text = self._render(_MARK)
        except Exception as error:  # templates are programs, and raise what they like
            said = said_by(error, 300) or f"it takes over {SECONDS} seconds"
            raise InputError(
                f"this model's chat template cannot be used ({said})", hint="leave --chat out"
            ) from error
        if text.count(_MARK) != 1:
            raise InputError(
                "this model's chat template does not write a prompt down once, so its place "
                "is not known",
                hint="leave --chat out",
            )
        self._before, _, self._after = text.partition(_MARK)

    def frame(self, prompt: Prompt) -> Prompt:
        """Return ``prompt`` as the model reads it, its subject where it then stands.

        Raises:
            Unusable: if its subject is not in its text, or if the template changes it by more
                than the spaces at its ends, or by spaces that belong to the subject.
        """
        start, stop = prompt.place()
        changed = Unusable("the chat template changes the prompt")
        try:
            text = self._render(prompt.text)
        except Exception:  # templates are programs, and raise what they like
            raise changed from None
        inside = text[len(self._before) : len(text) - len(self._after)]
        if text != self._before + inside + self._after:
            raise changed
        # Many templates strip what a user says.
        spaces = len(prompt.text) - len(prompt.text.lstrip())
        for cut in (0, spaces):
            end = cut + len(inside)
            if prompt.text[cut:end] == inside and not prompt.text[end:].strip():
                if start < cut or stop > end:
                    raise changed
                return replace(prompt, text=text, subject_start=len(self._before) + start - cut)
        raise changed

    def _render(self, content: str) -> str:
        with time_limit(SECONDS):
            return str(
                self._tokenizer.apply_chat_template(
                    [{"role": "user", "content": content}],
                    chat_template=self._template,
                    tokenize=False,
                    add_generation_prompt=True,
                    # The next token is to be the answer's, not that of a thought about it.
                    enable_thinking=False,
                )
            )
