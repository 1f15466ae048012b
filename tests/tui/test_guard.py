"""The guard of the app that is served: what it lets through, and what it refuses."""

import asyncio
import re
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from unittest import mock

import pytest

from mlxjsd.errors import InputError
from mlxjsd.tui.serve import guarded, listen

pytest.importorskip("textual_serve", reason="needs textual-serve")

from aiohttp import ClientSession, CookieJar, WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer
from textual_serve.server import Server

from mlxjsd.tui.guard import MOST_APPS, Guard

#: An app that says one word, and ends at the first that it is told.
APP = (
    "import sys; sys.stdout.buffer.write(b'__GANGLION__\\nD\\0\\0\\0\\5hello'); "
    "sys.stdout.flush(); sys.stdin.buffer.read(1)"
)
PATHS = ("/", "/ws", "/download/key", "/static/js/textual.js", "/page/page.js", "/nowhere")


@asynccontextmanager
async def client(guard: Guard) -> AsyncIterator[TestClient]:
    """Serve an app that is quick to start; give a browser's side, without a cookie."""
    server = Server(shlex.join([sys.executable, "-c", APP]))
    one = TestServer(guarded(server, guard, "a <title>"))
    start, apps = asyncio.create_subprocess_shell, []

    async def starts(*command: Any, **rest: Any) -> asyncio.subprocess.Process:
        apps.append(await start(*command, **rest))
        return apps[-1]

    with mock.patch("asyncio.create_subprocess_shell", starts):
        async with TestClient(one, cookie_jar=CookieJar(unsafe=True)) as asking:
            yield asking
    for app in apps:  # textual-serve leaves that to the loop, which ends with the test
        await app.wait()
        app._transport.close()


@asynccontextmanager
async def opened(guard: Guard) -> AsyncIterator[TestClient]:
    """Serve it to a browser that has shown the token."""
    async with client(guard) as asking:
        async with asking.get("/", params={"token": guard.token}) as answer:
            assert answer.status == 200
        yield asking


def origin(asking: TestClient) -> dict[str, str]:
    """Return what a browser says when one of our own pages opens a socket."""
    return {"Origin": f"http://127.0.0.1:{asking.port}", "Sec-Fetch-Site": "same-origin"}


@pytest.mark.asyncio
async def test_the_token_opens_it_once_and_the_cookie_from_then_on() -> None:
    guard = Guard()
    async with client(guard) as asking:
        address = f"/?token={guard.token}"
        async with asking.get(address, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            cookie = answer.headers["Set-Cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/"))
        assert guard.token is None
        for path in ("/", "/", address):
            async with asking.get(path) as answer:
                assert answer.status == 200
                assert str(answer.url.relative()) == "/", "the token is not in the address"
                text = await answer.text()
        assert "<title>a &lt;title&gt;</title>" in text
        async with asking.ws_connect("/ws?width=80&height=24", headers=origin(asking)) as one:
            assert (await one.receive(timeout=60)).data == b"hello"
        async with asking.get("/download/key") as answer:
            assert answer.status == 404, "asked of textual-serve, which has none"

        asking.session.cookie_jar.clear()  # another browser
        async with asking.get(address) as answer:
            assert answer.status == 403
            assert "once, in one browser" in await answer.text()


@pytest.mark.asyncio
@pytest.mark.parametrize("path", PATHS)
async def test_without_the_cookie_everything_is_refused(path: str) -> None:
    guard = Guard()
    async with client(guard) as asking:
        for query in ({}, {"token": ""}, {"token": "guess"}, {"token": "\ud800é"}):
            async with asking.get(path, params=query) as answer:
                assert answer.status == 403
                assert (await answer.text()).count("\n") == 1
        if path != "/":
            async with asking.get(path, params={"token": guard.token}) as answer:
                assert answer.status == 403, "the token is for the page"
        async with asking.head("/", params={"token": guard.token}) as answer:
            assert answer.status == 403, "looking at the address does not use it up"
        assert guard.token is not None


@pytest.mark.asyncio
async def test_without_the_cookie_the_socket_is_refused() -> None:
    async with client(Guard()) as asking:
        with pytest.raises(WSServerHandshakeError, match="403"):
            await asking.ws_connect("/ws", headers=origin(asking))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:PORT"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1.evil.example:PORT"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "http://evil.example:PORT"},
        {"Origin": "http://localhost:PORT"},
        {"Origin": "https://127.0.0.1:PORT"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:PORT", "Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_other_pages_are_refused_with_the_cookie_and_with_the_token(
    headers: dict[str, str],
) -> None:
    guard = Guard()
    async with client(guard) as asking:
        given = {name: text.replace("PORT", str(asking.port)) for name, text in headers.items()}
        token = {"token": guard.token}
        async with asking.get("/", params=token, headers=given) as answer:
            assert answer.status == 403
        assert guard.token is not None, "it is not used up by another page"
        async with asking.get("/", params=token) as answer:
            assert answer.status == 200
        cookies = dict(asking.session.cookie_jar.filter_cookies(asking.make_url("/")))
        assert cookies
        for path in PATHS:
            async with asking.get(path, headers=given, cookies=cookies) as answer:
                assert answer.status == 403
                assert "mlxjsd printed" in await answer.text()
        with pytest.raises(WSServerHandshakeError, match="403"):
            await asking.ws_connect("/ws", headers={**origin(asking), **given})


@pytest.mark.asyncio
async def test_a_socket_needs_an_origin() -> None:
    async with opened(Guard()) as asking:
        with pytest.raises(WSServerHandshakeError, match="403"):
            await asking.ws_connect("/ws")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["localhost", "Printed.Example"])
async def test_it_has_the_names_of_its_address(name: str) -> None:
    guard = Guard({"printed.EXAMPLE"})
    async with client(guard) as asking:
        own = {"Host": f"{name}:{asking.port}"}
        query = {"token": guard.token}
        async with asking.get("/", params=query, headers=own, allow_redirects=False) as answer:
            assert answer.status == 303


@pytest.mark.asyncio
async def test_an_address_of_version_six_is_written_in_brackets() -> None:
    try:
        listening = listen("::1", 0)
    except InputError:
        pytest.skip("this machine has no ::1")
    runner = web.AppRunner(guarded(Server("app"), Guard(), "title"))
    await runner.setup()
    await web.SockSite(runner, listening).start()
    address = f"http://[::1]:{listening.getsockname()[1]}/"
    async with ClientSession() as session, session.get(address) as answer:
        assert "once" in await answer.text(), "it is the cookie that is missing"
    await runner.cleanup()


@pytest.mark.asyncio
async def test_every_answer_says_what_a_page_may_do() -> None:
    async with opened(Guard()) as asking:
        host = f"127.0.0.1:{asking.port}"
        for path in set(PATHS) - {"/ws"}:
            for headers in ({}, {"Origin": "null"}):
                async with asking.get(path, headers=headers) as answer:
                    said = answer.headers
                assert said["X-Frame-Options"] == "DENY"
                assert said["X-Content-Type-Options"] == "nosniff"
                assert said["Referrer-Policy"] == "no-referrer"
                assert said["Cross-Origin-Resource-Policy"] == "same-origin"
                assert said["Cache-Control"] == "no-store"
                policy = said["Content-Security-Policy"].split("; ")
                assert {
                    "default-src 'none'", "script-src 'self'", "frame-ancestors 'none'",
                    "base-uri 'none'", f"connect-src 'self' ws://{host}",
                } <= set(policy)  # fmt: skip


@pytest.mark.asyncio
async def test_the_page_asks_nothing_of_other_machines() -> None:
    async with opened(Guard()) as asking:
        for path in ("/", "/page/page.css", "/page/page.js", "/static/css/xterm.css"):
            async with asking.get(path) as answer:
                assert answer.status == 200
                text = await answer.text()
            asked = re.findall(r"""(?:url\(|src=|href=|import|url=)\s*["']?([^"')\s]+)""", text)
            assert bool(asked) == path.endswith(("/", "page.css"))
            assert all(re.match(r"/\w|data:|ws://127.0.0.1:", one) for one in asked), asked


@pytest.mark.asyncio
async def test_the_size_of_the_font_is_a_number() -> None:
    async with opened(Guard()) as asking:
        for given, shown in [("20", "20"), ('9"onload="x', "16"), ("²", "16"), ("9999", "16")]:
            async with asking.get("/", params={"fontsize": given}) as answer:
                assert f'data-font-size="{shown}"' in await answer.text()


@pytest.mark.asyncio
async def test_so_many_apps_run_and_no_more() -> None:
    async with opened(Guard()) as asking:
        async with AsyncExitStack() as pages:
            for _ in range(MOST_APPS):
                await pages.enter_async_context(asking.ws_connect("/ws", headers=origin(asking)))
            async with asking.get("/") as answer:
                assert answer.status == 503
                assert f"{MOST_APPS} pages are open already" in await answer.text()
            with pytest.raises(WSServerHandshakeError, match="503"):
                await asking.ws_connect("/ws", headers=origin(asking))
        status = 503
        while status == 503:  # until the apps have ended
            async with asking.get("/") as answer:
                status = answer.status
        async with asking.ws_connect("/ws", headers=origin(asking)) as one:
            assert (await one.receive(timeout=60)).data == b"hello"


@pytest.mark.asyncio
async def test_the_end_of_the_server_waits_for_no_page() -> None:
    async with opened(Guard()) as asking:
        one = await asking.ws_connect("/ws", headers=origin(asking))
        assert (await one.receive(timeout=60)).data == b"hello"
        await asyncio.wait_for(asking.server.close(), 15)  # before the socket is found dead
