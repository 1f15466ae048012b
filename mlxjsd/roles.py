"""The roles of a prompt's tokens, as data: where a token stands to the subject.

Maps of different prompts have different tokens; their averages are over those of one role, as in
Meng et al. 2022, figure 2. A token may have two: the only token of a subject is its first and its
last one, and the only token behind it is the first after it and the last of the prompt.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mlxjsd.registry import Registry


@dataclass(frozen=True)
class Role:
    """Some tokens of a prompt."""

    key: str
    """Its name in exports and published numbers."""
    label: str
    """Its name where people look."""
    tokens: Callable[[int, int, int], range]
    """Which tokens, of a subject in [start, end) and a prompt of so many tokens."""


#: Every role there is, by key, in the order of the tokens.
ROLES: Registry[Role] = Registry("role", "--kind roles")

for _role in (
    Role("first-subject", "First subject token", lambda start, end, _: range(start, start + 1)),
    Role("middle-subject", "Middle subject tokens", lambda s, end, _: range(s + 1, end - 1)),
    Role("last-subject", "Last subject token", lambda start, end, _: range(end - 1, end)),
    Role("first-after", "First token after", lambda _, end, length: range(end, end + 1)),
    Role("further", "Further tokens", lambda _, end, length: range(end + 1, length - 1)),
    Role("last", "Last token", lambda _, end, length: range(length - 1, length)),
):
    ROLES.add(_role)


def role_of(token: int, start: int, end: int, length: int) -> str:
    """Return the key of a token's role; "" in front of the subject.

    Of two, the later one: a subject's only token is its last, a prompt's last token the last.
    """
    keys = [key for key, role in ROLES.items() if token in role.tokens(start, end, length)]
    return keys[-1] if keys else ""
