"""A report as a real browser shows it: pointed at, clicked, searched, and refused to call out."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="needs aiohttp")

from browser import CHROMIUM, Tab, browser
from records import LAYERS, run_of
from reports import EVIL, hostile, mapped

from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.output.report.document import Side
from mlxjsd.output.report.write import write_comparison, write_report
from mlxjsd.records import Grid

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]

AVERAGE = "document.querySelector('#average-pictures .heatmap')"
CLICK = "((one) => { one.scrollIntoView(); one.click(); })(document.querySelectorAll('.prompt')[4])"
DETAIL = "document.querySelector('.detail .heatmap')"


async def shows(tab: Tab, path: Path, width: int = 1280) -> None:
    """Open a report, and wait until it is drawn."""
    phone = width < 500
    await tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=900, deviceScaleFactor=1, mobile=phone,
    )  # fmt: skip
    await tab.open(path.as_uri())
    await tab.until(f"!!(document.documentElement.dataset.ready && {AVERAGE}.querySelector('svg'))")


async def drawn(tab: Tab, picture: str) -> None:
    """Wait for a picture, which is drawn once it is seen."""
    await tab.until(f"!!{picture}")
    await tab.run(f"{picture}.scrollIntoView({{block: 'center'}})")
    await tab.until(f"!!{picture}.querySelector('svg')")


async def point(
    tab: Tab, picture: str, row: int, layer: int, kind: str = "mouseMoved", rows: int | None = None
) -> None:
    """Move the mouse to a cell, by what its columns and rows span on the screen."""
    await tab.run(f"{picture}.scrollIntoView({{block: 'center'}})")
    x, y, width, height = await tab.run(
        f"""(() => {{
          const cells = {picture}.querySelectorAll('.mark-rect')[0].getBoundingClientRect();
          return [cells.left, cells.top, cells.width, cells.height];
        }})()"""
    )
    rows = rows or await tab.run("JSON.parse(document.getElementById('mlxjsd-data').textContent)"
                                 ".shown.grid.rows.length")  # fmt: skip
    at = {"x": x + (layer + 0.5) * width / LAYERS, "y": y + (row + 0.5) * height / rows}
    await tab.call("Input.dispatchMouseEvent", type=kind, button="none", **at)
    if kind == "mouseMoved":
        return
    await tab.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)
    await tab.call("Input.dispatchMouseEvent", type="mouseReleased", button="left", clickCount=1,
                   **at)  # fmt: skip


async def tip(tab: Tab) -> list[str]:
    said = await tab.run("document.getElementById('tip').hidden ? '' : "
                         "[...document.getElementById('tip').children].map(c => c.textContent)"
                         ".join('\\n')")  # fmt: skip
    return str(said).split("\n")


@pytest.mark.asyncio
async def test_a_report_is_pointed_at_clicked_and_searched(tmp_path: Path) -> None:
    grid = Grid(LAYERS, metrics=("jsd", "kl"))
    run = run_of(40, grid=grid)
    # The made-up numbers of two metrics are in proportion, and so would be packed alike.
    both = [np.stack([one.cells[0], np.flip(one.cells[0])]) for one in run.records]
    pairs = zip(run.records, both, strict=True)
    run = replace(run, records=[replace(one, cells=cells) for one, cells in pairs])
    write_report(run, path := tmp_path / "report.html")
    mean, values = run.heatmap().mean, run.values()
    low, high = bootstrap_interval(values)[:, 2, 3]
    async with browser(tmp_path / "profile") as tab:
        await shows(tab, path)

        await point(tab, AVERAGE, 2, 3)
        name, number, interval, n = await tip(tab)
        assert name == "Last., layer 3"
        assert float(number.split()[0]) == pytest.approx(mean[2, 3], abs=2e-4)
        assert interval.startswith("95 % interval")
        ends = [float(word) for word in interval.split() if word[0] == "0"]
        assert ends == pytest.approx([low, high], abs=2e-4)
        assert n == "n = 40"

        await point(tab, AVERAGE, 2, 3, "mousePressed")  # sorts the prompts by this cell
        assert await tab.run("document.getElementById('sort').selectedOptions[0].text") == (
            "Last., layer 3"
        )
        order = await tab.run("[...document.querySelectorAll('.prompt')].map(b => +b.dataset.at)")
        steps = np.diff(values[order, 2, 3])
        assert (steps <= 1e-4).all(), "from the highest down, but for the packing"

        await tab.run("document.getElementById('search').focus()")
        await tab.call("Input.insertText", text="country 17")
        assert await tab.run("document.getElementById('count').textContent") == "1 of 40 prompts"
        await tab.run("document.querySelector('.prompt').click()")
        await drawn(tab, DETAIL)
        assert await tab.run("[...document.querySelectorAll('.detail mark')].map(m => "
                             "m.textContent).join('')") == " country 17"  # fmt: skip
        await point(tab, DETAIL, 1, 5)
        name, number, *rest = await tip(tab)
        assert (name, rest) == ("Attn., layer 5", [])
        assert float(number.split()[0]) == pytest.approx(values[17, 1, 5], abs=2e-4)

        # With the keys, for who does not see it; what they come to is spoken.
        await tab.run(f"{AVERAGE}.focus()")
        for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
            await tab.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        assert (await tab.run("document.getElementById('spoken').textContent")).startswith(
            "Attn., layer 1"
        )
        assert "peaks at" in await tab.run(f"{AVERAGE}.getAttribute('aria-label')")

        colour = f"{AVERAGE}.querySelector('.mark-rect path').getAttribute('fill')"
        light = await tab.run(colour)
        await tab.run("document.getElementById('theme').click()")
        await tab.run("document.getElementById('theme').click()")
        assert await tab.run(colour) != light, "dark"

        await tab.run("document.getElementById('metric-kl').click()")
        await drawn(tab, AVERAGE)
        await point(tab, AVERAGE, 2, 3)
        _, number, *_ = await tip(tab)
        assert float(number.split()[0]) == pytest.approx(
            run.heatmap(metric="kl").mean[2, 3], abs=2e-4
        )
        await drawn(tab, DETAIL)
        await point(tab, DETAIL, 1, 5)
        _, number = await tip(tab)
        assert float(number.split()[0]) == pytest.approx(run.values("kl")[17, 1, 5], abs=2e-4)

        await tab.run("document.getElementById('by-correct').click()")
        panels = "document.querySelectorAll('#group-pictures figure')"
        assert await tab.run(f"{panels}.length") == 2
        await tab.run(f"{panels}[0].querySelector('summary').click()")
        await tab.until(f"{panels}[0].querySelectorAll('tbody tr').length === {LAYERS}")

        assert tab.complaints == []
        assert tab.asked == [path.as_uri()]


@pytest.mark.asyncio
async def test_hostile_text_does_nothing_and_nothing_can_be_asked(tmp_path: Path) -> None:
    write_report(hostile(), path := tmp_path / "evil.html")
    run = replace(run_of(3), model={**run_of().model, "name": EVIL})
    heatmap = run.heatmap()
    write_comparison(EVIL, [Side(EVIL, heatmap), Side("b", heatmap, is_difference=True)], EVIL,
                     other := tmp_path / "compared.html")  # fmt: skip
    async with browser(tmp_path / "profile") as tab:
        for page in (path, other):
            await shows(tab, page)
            for at in range(3 if page == path else 0):
                await tab.run(f"document.querySelectorAll('.prompt')[{at}].click()")
            await tab.run("document.querySelectorAll('details').forEach(d => d.open = true)")
            await asyncio.sleep(0.1)
            assert "</script><script>window.ran=1</script>" in await tab.text()
            assert await tab.run("window.ran === undefined")
            assert "\u202e" not in await tab.text()
            assert await tab.run("[...document.querySelectorAll('img, a')].every("
                                 "(one) => one.getAttribute('href')?.startsWith('#'))")  # fmt: skip
        assert tab.complaints == []
        assert tab.asked == [path.as_uri(), other.as_uri()]
        reached: list[object] = []
        server = await asyncio.start_server(lambda *who: reached.append(who), "127.0.0.1", 0)
        away = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        script = (
            f"const away = '{away}';"
            + """(async () => {
          const script = document.createElement("script");
          script.textContent = "window.ran = 1";
          document.head.append(script);
          const image = `<img src=${away} onerror='window.ran = 2'>`;
          document.body.insertAdjacentHTML("beforeend", image);
          const asked = await fetch(away).then(() => 1, () => 0);
          try { new Function("window.ran = 3")(); } catch {}
          await new Promise((resolve) => setTimeout(resolve, 200));
          return [window.ran ?? null, asked];
        })()"""
        )
        told = await tab.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True,
            allowUnsafeEvalBlockedByCSP=False,
        )  # fmt: skip
        ran = told["result"]["value"]
        assert ran == [None, 0]
        refused = [said for said in tab.complaints if "Content Security Policy" in said]
        assert len(refused) >= 3, "who tries is stopped by the page's policy"
        assert reached == []
        server.close()


@pytest.mark.asyncio
async def test_a_map_is_behind_its_prompt_and_averages_by_role_are_on_the_page(
    tmp_path: Path,
) -> None:
    run = mapped(12)
    write_report(run, path := tmp_path / "report.html")
    open_map = "document.querySelector('.detail details.map > summary')"
    async with browser(tmp_path / "profile") as tab:
        await shows(tab, path)
        roles = "document.querySelectorAll('#role-pictures .heatmap')[1]"
        await drawn(tab, roles)
        await point(tab, roles, 2, 3, rows=6)
        name, number, interval, n = await tip(tab)
        found = run.roles("residual:denoising")
        assert name == "Last subject token (12), layer 3"
        assert float(number.split()[0]) == pytest.approx(found.mean[2, 3], abs=2e-4)
        assert interval.startswith("95 % interval 0.")
        assert n == "n = 12"
        await point(tab, roles, 1, 3, rows=6)
        assert (await tip(tab))[1:] == ["no such token", "n = 0"]

        # Of two prompts with other counts of tokens, so that a wrong place is another number.
        for at, tokens in ((4, 6), (8, 7)):
            await tab.run(f"document.querySelectorAll('.prompt')[{at}].click()")
            if at == 4:  # it stays open from one prompt to the next
                await tab.run(f"{open_map}.click()")
            await tab.until("document.querySelectorAll('.detail .map .heatmap').length === 2")
            picture = "document.querySelectorAll('.detail .map .heatmap')[1]"
            await drawn(tab, picture)
            await point(tab, picture, tokens - 1, 5, rows=tokens)
            name, number, *rest = await tip(tab)
            assert (name, rest) == ("more, layer 5", [])
            value = run.records[at].map("residual:denoising")[tokens - 1, 5]
            assert float(number.split()[0]) == pytest.approx(value, abs=2e-4)
        bold = await tab.run(f"[...{picture}.querySelectorAll('text[font-weight=bold]')]"
                             ".map((one) => one.textContent)")  # fmt: skip
        assert bold == ["country *", "8 *"]
        await tab.run("document.querySelector('.detail .map summary ~ * summary').click()")
        cells = "document.querySelector('.detail .map tbody').rows[5].cells"
        first = run.records[8].map("residual")
        written = await tab.run(f"[...{cells}].map((one) => Number(one.textContent))")
        assert written[1:] == pytest.approx(first[:, 5].tolist(), abs=1e-4)
        assert tab.complaints == []


@pytest.mark.asyncio
async def test_it_is_read_on_a_phone(tmp_path: Path) -> None:
    write_report(run_of(12), path := tmp_path / "report.html")
    async with browser(tmp_path / "profile") as tab:
        await shows(tab, path, 390)
        await tab.run(CLICK)
        await drawn(tab, DETAIL)
        assert await tab.run("document.querySelector('.detail').parentElement.tagName") == "LI"
        assert await tab.run("location.hash") == "#prompt-4"
        assert await tab.run("document.documentElement.scrollWidth") <= 390
        await tab.run(CLICK)
        assert await tab.run("document.querySelector('.detail')") is None
        assert tab.complaints == []


@pytest.mark.asyncio
async def test_a_browser_that_cannot_unpack_shows_the_averages_and_says_so(tmp_path: Path) -> None:
    write_report(mapped(3), path := tmp_path / "report.html")
    async with browser(tmp_path / "profile") as tab:
        script = "delete window.DecompressionStream"
        await tab.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        await shows(tab, path)
        await drawn(tab, "document.querySelector('#role-pictures .heatmap')")
        assert "This browser is too old to unpack" in await tab.text()
        assert tab.complaints == []
