"""The garbage collector does not look through the records of a large run."""

import gc

import pytest

from mlxjsd.tui.garbage import Shelf


def test_many_records_are_kept_in_steps_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # How many objects are kept says when some were kept, not when none were: one of those that
    # are may be freed at any moment.
    taken: list[int] = []
    freeze = gc.freeze

    def counted() -> None:
        freeze()
        taken.append(gc.get_freeze_count())

    monkeypatch.setattr(gc, "freeze", counted)
    shelf, before = Shelf(), gc.get_freeze_count()
    shelf.keep(999)
    assert taken == []
    records = [[at] for at in range(1000)]
    shelf.keep(1000)
    (kept,) = taken
    assert kept >= before + len(records)
    more = [[at] for at in range(300)]
    spare = [[at] for at in range(100)]  # for what is freed of those that were kept before
    shelf.keep(1100)
    assert taken == [kept]
    shelf.keep(1300)
    assert len(taken) == 2
    assert taken[1] >= kept + len(more)
    assert len(spare) == 100
    shelf.clear()
    assert gc.get_freeze_count() <= before
