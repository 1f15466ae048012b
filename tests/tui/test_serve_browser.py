"""The page as a real browser shows it, with the app in it."""

from pathlib import Path

import pytest

pytest.importorskip("textual_serve", reason="needs textual-serve")

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from browser import CHROMIUM, Tab, browser
from serving import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]

DRAWN = "document.body?.classList.contains('-first-byte')"


async def draws(tab: Tab) -> None:
    """Wait until the app has drawn, and still runs."""
    await tab.until(DRAWN)
    assert not await tab.run("document.body?.classList.contains('-closed')")


@pytest.mark.asyncio
async def test_the_printed_address_shows_the_app_to_one_browser(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        async with browser(tmp_path / "profile") as tab:
            await tab.open(server.printed)
            await draws(tab)
            assert await tab.run("location.href") == f"{server.origin}/"
            history = await tab.call("Page.getNavigationHistory")
            assert server.token not in str([entry["url"] for entry in history["entries"]])
            assert await tab.run("document.title") == "mlxjsd"
            assert await tab.run("document.cookie") == "", "no script reads it"
            assert await tab.run("[...document.fonts].map((one) => one.status).join()") == (
                "loaded,loaded"
            ), "what is measured is the font that is shown"
            assert server.apps() == 1

            await tab.call("Page.reload")
            await tab.until("performance.getEntriesByType('navigation')[0].type === 'reload'")
            await draws(tab)
            local = (f"{server.origin}/", f"ws://127.0.0.1:{server.port}/", "data:")
            assert [one for one in tab.asked if not one.startswith(local)] == []

            async with ClientSession() as another, another.get(server.printed) as answer:
                assert answer.status == 403

            # The first key goes to the app, without a click.
            await tab.until("document.activeElement.matches('.xterm-helper-textarea')")
            await tab.call("Input.dispatchKeyEvent", type="char", text="\x11")  # Ctrl-Q: quit
            await tab.until("document.body?.classList.contains('-closed')")
            assert "Open it again" in await tab.text()
            await tab.run("document.querySelector('.ended button').click()")
            await tab.until(f"!document.body?.classList.contains('-closed') && {DRAWN}")


@pytest.mark.asyncio
async def test_nothing_on_the_page_reaches_another_server(tmp_path: Path) -> None:
    reached = []

    async def hear(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response(text="<p>away</p>", content_type="text/html")

    elsewhere = TestServer(web.Application())
    elsewhere.app.router.add_get("/{path:.*}", hear)
    with served(tmp_path) as server:
        async with elsewhere, browser(tmp_path / "profile") as tab:
            away = str(elsewhere.make_url("/away"))
            await tab.open(away)
            assert reached.count("/away") == 1, "it is there to be reached"
            await tab.open(server.printed)
            # textual.js asks for an address that stands behind ?ping= before it begins.
            await tab.open(f"{server.origin}/?ping={away}")
            await tab.run(
                f"""(async () => {{
                  const away = "{away}";
                  await fetch(away, {{ mode: "no-cors" }}).catch(() => 0);
                  new WebSocket(away.replace("http", "ws"));
                  new Image().src = away;
                  const style = document.createElement("style");
                  style.textContent = `@import "${{away}}"; @font-face {{
                    font-family: away; src: url(${{away}}) }} body {{ font-family: away }}`;
                  document.head.append(style);
                  const frame = document.createElement("iframe");
                  frame.src = away;
                  document.body.append(frame);
                  await new Promise((resolve) => setTimeout(resolve, 1000));
                }})()"""
            )
            assert reached.count("/away") == 1
            script = "document.head.append(Object.assign(document.createElement('script'), "
            await tab.run(script + "{ textContent: 'window.ran = true' })); 0")
            assert await tab.run("window.ran === undefined"), "no script but the files"
