"""A model's blocks, with what was found out about them."""

from functools import cached_property

from mlxjsd.model.allocations import Allocations, allocations_of
from mlxjsd.model.anatomy import Anatomy, examine
from mlxjsd.model.parts import Parts, parts_of
from mlxjsd.model.stepping import Stepper
from mlxjsd.model.tables import Tables, tables_of


class Blocks(Stepper):
    """The blocks of one model, in order.

    Raises ``UnsupportedModel`` where they cannot be found or do not look like blocks.
    """

    @cached_property
    def tables(self) -> Tables:
        """How many tokens and positions it can look up."""
        return tables_of(self)

    @cached_property
    def anatomy(self) -> Anatomy:
        """What each block was found to do, and by which path the model is measured.

        Raises ``UnsupportedModel`` where no path would give right numbers.
        """
        return examine(self, self.tables.tokens)

    @cached_property
    def parts(self) -> Parts:
        """The modules that make each block's step: its attention and its MLP, or why not."""
        return parts_of(self, self.anatomy, self.tables.tokens)

    @cached_property
    def allocations(self) -> tuple[Allocations, ...]:
        """What the calls of each kind of block take in memory."""
        return allocations_of(self, self.anatomy)
