"""A real browser without a window, driven through its DevTools protocol."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

#: The browser to test with, or None.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
#: A name that the browser takes to be this machine, as after DNS rebinding.
REBOUND = "rebound.example"
PATIENCE = 60.0


class Tab:
    """One page of the browser.

    Attributes:
        asked: addresses that it has asked for.
        complaints: errors and warnings of its scripts, and what its policy has refused.
    """

    def __init__(self, devtools: ClientWebSocketResponse) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self._devtools = devtools
        self._ids = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._devtools:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            elif told["method"] == "Network.requestWillBeSent":
                self.asked.append(told["params"]["request"]["url"])
            elif told["method"] == "Network.webSocketCreated":
                self.asked.append(told["params"]["url"])
            elif told["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]))
            elif told["method"] == "Log.entryAdded":
                self.complaints.append(told["params"]["entry"]["text"])
            elif told["method"] == "Runtime.consoleAPICalled":
                self.complaints.append(str(told["params"]["args"]))

    async def call(self, method: str, **parameters: object) -> Any:
        """Ask the browser for something; return what it answers."""
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._devtools.send_json({"id": number, "method": method, "params": parameters})
        told = await asyncio.wait_for(self._answers[number], PATIENCE)
        assert "error" not in told, told
        return told["result"]

    async def run(self, script: str) -> Any:
        """Run a script as one of the page's own, and return what it comes to."""
        told = await self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until a script's value holds."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not await self.run(script):
            assert asyncio.get_running_loop().time() < deadline, script
            await asyncio.sleep(0.1)

    async def open(self, address: str) -> None:
        """Go to an address as if it had been typed, and wait for what is there."""
        await self.run("window.left = true")
        await self.call("Page.navigate", url=address, transitionType="typed")
        await self.until("!window.left && document.readyState === 'complete'")

    async def text(self) -> str:
        """Return what the page says."""
        return str(await self.run("document.body.innerText"))


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Tab]:
    """Start a browser with a profile of its own; give one page of it."""
    process = subprocess.Popen(
        [
            str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking",
            f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
            f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with ClientSession() as session:
            page = await _first_page(session, folder / "DevToolsActivePort")
            async with session.ws_connect(page, max_msg_size=0) as devtools:
                tab = Tab(devtools)
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await tab.call(f"{domain}.enable")
                yield tab
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def _first_page(session: ClientSession, told: Path) -> str:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        if told.is_file() and (lines := told.read_text().splitlines()):
            async with session.get(f"http://127.0.0.1:{lines[0]}/json/list") as answer:
                for page in await answer.json():
                    if page["type"] == "page":
                        return str(page["webSocketDebuggerUrl"])
        assert asyncio.get_running_loop().time() < deadline, "the browser does not start"
        await asyncio.sleep(0.1)
