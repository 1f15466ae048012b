"""Names that are typed with commas between them."""

from mlxjsd.rows import chosen


class Names(tuple[str, ...]):
    """Names that are typed with commas between them."""

    @classmethod
    def parse(cls, typed: "str | Names") -> "Names":
        """Return the names; a default is one already."""
        return cls(part.strip() for part in typed.split(",")) if isinstance(typed, str) else typed

    @classmethod
    def rows(cls, typed: "str | Names") -> "Names":
        """Return the rows that are meant, also by names of sets."""
        return cls(chosen(cls.parse(typed)))
