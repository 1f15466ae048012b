"""The garbage collector does not look through the records of a large run."""

import gc

from mlxjsd.tui.garbage import Shelf


def test_many_records_are_kept_in_steps_and_given_back() -> None:
    shelf, before = Shelf(), gc.get_freeze_count()
    shelf.keep(999)
    assert gc.get_freeze_count() == before
    records = [[at] for at in range(1000)]
    shelf.keep(1000)
    kept = gc.get_freeze_count()
    assert kept >= before + len(records)
    more = [[at] for at in range(300)]
    shelf.keep(1100)
    assert gc.get_freeze_count() == kept
    shelf.keep(1300)
    assert gc.get_freeze_count() >= kept + len(more)
    shelf.clear()
    assert gc.get_freeze_count() <= before
