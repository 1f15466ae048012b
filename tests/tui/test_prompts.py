"""The list of prompts tells them apart, and the detail says what is known of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from on_screen import said, text_of
from records import record
from rich.cells import cell_len
from waiting import settled, until

from mlxjsd.prompts.flags import OCCURS_TWICE
from mlxjsd.tui.shortening import around, subject_place
from mlxjsd.tui.widgets.prompt_facts import facts_of

LONG = "It is often said by those who know that the capital of Norland, far up there, is"


def test_what_fits_is_left_whole() -> None:
    assert around("The capital of Norland is", 15, 22, 25) == ("The capital of ", "Norland", " is")


@pytest.mark.parametrize(
    ("width", "wanted"),
    [
        (60, "…who know that the capital of Norland, far up there, is"),
        (40, "…the capital of Norland, far up there, is"[-40:]),
        (25, "…Norland, far up there, is"[-25:]),
        (16, "…Norland, far u…"),
        (7, "Norland"),
        (5, "Norl…"),
    ],
)
def test_a_long_text_is_cut_around_its_subject(width: int, wanted: str) -> None:
    at = LONG.index("Norland")
    before, within, after = around(LONG, at, at + 7, width)
    assert cell_len(before + within + after) <= width
    assert within == "Norland"[: len(within.rstrip("…"))] + ("…" if width < 7 else "")
    if width >= 16:
        assert before.startswith("…")
        assert LONG.startswith((within + after).removesuffix("…"), at)
        assert LONG[:at].endswith(before.removeprefix("…"))
        assert after.endswith(" is") is (width >= 30)


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 20), st.integers(0, 50))
def test_no_text_is_wider_than_its_room(text: str, start: int, long: int, width: int) -> None:
    start = min(start, len(text))
    parts = around(text, start, min(start + long, len(text)), width)
    assert cell_len("".join(parts)) <= width


def test_the_subject_is_found_where_its_tokens_stand() -> None:
    assert subject_place(record(0)) == (15, 24)
    text = "Paris is what the capital Paris is"
    twice = record(
        0, text=text, subject="Paris", tokens=("<s>", "Paris is what the capital", " Paris", " is"),
        subject_span=(2, 3), flags=(OCCURS_TWICE,),
    )  # fmt: skip
    assert subject_place(twice) == (26, 31)
    assert subject_place(record(0, subject="")) == (0, 0)
    assert subject_place(record(0, subject="elsewhere")) == (0, 0)


def test_what_is_known_of_a_prompt_is_told() -> None:
    swapped = record(
        0, source={"kind": "swap", "id": "p3"}, flags=(OCCURS_TWICE,), popularity=1234.0
    )
    facts = facts_of(swapped, record(3))
    assert facts[:4] == [
        "entropy 1.25 nats", "relation capital", "popularity 1234", "partner country 3 (p3)",
    ]  # fmt: skip
    assert facts[4].startswith("odd: the subject occurs more than once")
    assert facts_of(swapped)[3] == "partner p3"
    named = record(0, source={"kind": "swap", "id": "p3", "subject": "Norland"})
    assert "partner Norland (p3)" in facts_of(named)
    assert facts_of(record(0)) == ["entropy 1.25 nats", "relation capital"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("width", "columns"), [(80, 3), (120, 5), (250, 8)])
async def test_more_is_told_where_there_is_more_room(app, engine, made, width, columns) -> None:
    async with app.run_test(size=(width, 30)) as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 6, text=f"{LONG} {'x' * 80}", subject="Norland"))
        await settled(pilot)
        screen = app.screen
        names = [name for name, _ in screen.prompts._columns()]
        assert len(names) >= columns
        lines = [line.split("││")[-1] for line in text_of(app).splitlines() if "Norland" in line]
        assert len(lines) >= 6
        assert "London" in lines[1], "the whole answer, not its first token"
        kind = screen.state.measured.category_of(screen.state.measured.records[1])
        for name, wanted in (("expected", "Paris, Lutetia"), ("kind", kind), ("relation", "capit")):
            assert (f" {wanted}" in lines[1]) is (name in names)
        # The order of a column is that of its texts.
        for name in names[1:5]:
            screen.prompts.sort_by(name)
            if name in ("answer", "kind"):
                said_of = [screen.prompts._said(name, i).casefold() for i in screen.prompts._lines]
                assert said_of == sorted(said_of)


@pytest.mark.asyncio
async def test_a_detail_that_is_longer_than_its_panel_scrolls(app, engine, made) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 6, flags=(OCCURS_TWICE,), relation="r" * 90))
        await settled(pilot)
        detail = app.screen.detail
        await until(pilot, lambda: not detail.border_subtitle)
        await pilot.press("a")
        await pilot.pause()
        assert "entropy 1.25" in said(app, "#detail")
        assert "is edited" not in text_of(app)
        assert detail.border_subtitle.startswith("↓ ")
        detail.focus()
        await pilot.press("end")
        await until(pilot, lambda: "edited" in text_of(app))
        await until(pilot, lambda: not detail.border_subtitle)


@pytest.mark.asyncio
async def test_without_answers_no_first_token_is_ticked(app, engine, made) -> None:
    async with app.run_test(size=(130, 40)) as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 2, answer=None, prediction=" Paris"))
        await settled(pilot)
        assert "Paris" in text_of(app)
        await pilot.press("a")
        assert not {"✓", "✗"} & set(text_of(app))
        engine.batch(made(2, 1, answer="in Paris"))
        await settled(pilot)
        assert "✓" in text_of(app)
