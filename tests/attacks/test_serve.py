"""Attacks on the app that is served to a browser; each has succeeded before there was a guard.

The app has its user's rights. Whoever opens its socket can have it write files.
"""

import asyncio
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("textual_serve", reason="needs textual-serve")

from aiohttp import ClientSession, WSServerHandshakeError, web
from browser import CHROMIUM, REBOUND, Tab, browser
from serving import Served, served

from mlxjsd.tui.serve import app_command

pytestmark = pytest.mark.slow

#: What a page can try on a server; each attempt comes to "refused" or to what was had.
ATTEMPTS = """
(async () => {
  const had = async (attempt) => { try { return await attempt(); } catch { return "refused"; } };
  const socket = () => new Promise((resolve) => {
    const one = new WebSocket("ws://ADDRESS/ws?width=80&height=24");
    one.onmessage = () => { one.close(); resolve("an app answers"); };
    one.onerror = () => resolve("refused");
  });
  const blind = { mode: "no-cors", credentials: "include" };
  return JSON.stringify({
    read: await had(async () => (await fetch("http://ADDRESS/")).status),
    blind: await had(async () => (await fetch("http://ADDRESS/", blind)).type),
    script: await had(() => new Promise((resolve) => {
      const one = document.createElement("script");
      one.src = "http://ADDRESS/static/js/textual.js";
      one.onload = () => resolve("loaded");
      one.onerror = () => resolve("refused");
      document.head.append(one);
    })),
    socket: await had(socket),
  });
})()
"""
REFUSED = '{"read":"refused","blind":"refused","script":"refused","socket":"refused"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("working")) as one:
        yield one


async def opens_an_app(server: Served, headers: dict[str, str]) -> bool:
    address = f"{server.origin}/ws?width=80&height=24"
    async with ClientSession() as session:
        try:
            async with session.ws_connect(address, headers=headers) as one:
                return bool((await one.receive(timeout=60)).data)
        except WSServerHandshakeError as error:
            return error.status != 403


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_no_page_or_program_without_the_cookie_opens_the_socket(
    server: Served, host: str, origin: str | None
) -> None:
    headers = {"Host": f"{host}:{server.port}"}
    if origin is not None:
        headers["Origin"] = origin
    assert not await opens_an_app(server, headers)
    assert server.apps() == 0


@pytest.mark.asyncio
async def test_another_program_of_this_machine_that_lies_about_itself_opens_nothing(
    server: Served,
) -> None:
    headers = {"Origin": server.origin, "Sec-Fetch-Site": "same-origin"}
    assert not await opens_an_app(server, headers)
    async with ClientSession(headers=headers) as session:
        for path in ("/", "/static/js/textual.js", "/?token=guess", "/?token=%ED%B2%80"):
            async with session.get(server.origin + path) as answer:
                assert answer.status == 403
    assert server.apps() == 0


def test_a_module_that_lies_in_the_working_folder_is_not_run(tmp_path: Path) -> None:
    for name in ("rich", "typer", "mlxjsd", "site", "shlex"):
        (tmp_path / f"{name}.py").write_text("open('was run', 'w').close()\n")
    ended = subprocess.run(
        app_command(["tui", "--serve", "--help"]), shell=True, cwd=tmp_path, capture_output=True
    )
    assert not (tmp_path / "was run").exists()
    assert b"--serve" in ended.stdout, shlex.quote(str(ended.stderr))


@asynccontextmanager
async def other_site() -> AsyncIterator[int]:
    """Serve an empty page at a port of its own, under every name of this machine."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<title>other</title>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/", page)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def attack(tab: Tab, page: str, server: Served) -> None:
    """Try everything from a page, at each name of the server; nothing is had."""
    await tab.open(page)
    for host in ("127.0.0.1", "localhost", REBOUND):
        script = ATTEMPTS.replace("ADDRESS", f"{host}:{server.port}")
        assert await tab.run(script) == REFUSED, (page, host)
    while server.apps():  # the user's own, whose page was left
        await asyncio.sleep(0.1)
    frame = f"""new Promise((resolve) => {{
        const one = document.createElement("iframe");
        one.src = "{server.origin}/";
        one.onload = () => resolve(true);
        document.body.append(one);
    }})"""
    await tab.run(frame)
    await asyncio.sleep(1)  # an app that were shown in the frame would have begun by then
    assert server.apps() == 0


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
@pytest.mark.asyncio
async def test_no_page_of_another_origin_has_anything_in_a_real_browser(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        async with other_site() as port, browser(tmp_path / "profile") as tab:
            others = [f"http://{host}:{port}/" for host in ("127.0.0.1", "localhost", REBOUND)]
            for page in others:
                await attack(tab, page, server)
            await tab.open(f"http://{REBOUND}:{server.port}/")
            assert "not the address" in await tab.text()
            assert server.apps() == 0

            # The same pages, once the browser that they are in may use the app.
            await tab.open(server.printed)
            await tab.until("document.body?.classList.contains('-first-byte')")
            assert server.apps() == 1
            for page in others:
                await attack(tab, page, server)
            await tab.open(f"http://{REBOUND}:{server.port}/?{server.token}")
            assert "not the address" in await tab.text()


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
@pytest.mark.asyncio
async def test_a_link_on_another_page_does_not_open_the_app(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        async with other_site() as port, browser(tmp_path / "profile") as tab:
            await tab.open(server.printed)
            await tab.until("document.body?.classList.contains('-first-byte')")
            await tab.open(f"http://127.0.0.1:{port}/")
            await tab.run(f"location.href = '{server.origin}/?ping=http://127.0.0.1:{port}/'; 0")
            await tab.until(f"location.port === '{server.port}' && document.body !== null")
            assert "Another page asked" in await tab.text()
