"""Pictures of a report as a browser shows it: wide and on a phone, light and dark.

    python tests/benchmarks/report_pictures.py report.html FOLDER

Chromium is needed (`apt-get install chromium`). Each picture is of the whole page up to 3,000
pixels, with one prompt open and the mouse on a cell of the average.
"""

import asyncio
import base64
import sys
import tempfile
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser import Tab, browser

TALLEST = 3000
CELL = """(() => {
  const box = document.querySelector("#average-pictures .mark-rect").getBoundingClientRect();
  return [box.left + 0.62 * box.width, box.top + 0.5 * box.height];
})()"""


async def picture(tab: Tab, report: Path, width: int, theme: str) -> bytes:
    """Return a report as PNG, at a width and in light or dark."""
    size = {"width": width, "deviceScaleFactor": 1, "mobile": width < 500}
    media = [{"name": "prefers-color-scheme", "value": theme}]
    await tab.call("Emulation.setDeviceMetricsOverride", height=900, **size)
    await tab.call("Emulation.setEmulatedMedia", features=media)
    await tab.open(report.resolve().as_uri())
    await tab.until("!!document.querySelector('#average-pictures svg')")
    await tab.run("document.querySelector('#list li:nth-child(3) button')?.click()")
    height = min(await tab.run("document.documentElement.scrollHeight"), TALLEST)
    await tab.call("Emulation.setDeviceMetricsOverride", height=height, **size)
    await asyncio.sleep(0.5)  # what came into sight is drawn
    x, y = await tab.run(CELL)
    await tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    await asyncio.sleep(0.1)
    shot = await tab.call("Page.captureScreenshot", format="png")
    return base64.b64decode(shot["data"])


async def main(report: Path, folder: Path) -> None:
    """Write four pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        async with browser(Path(profile)) as tab:
            for width, theme in product((1280, 390), ("light", "dark")):
                path = folder / f"report-{width}-{theme}.png"
                path.write_bytes(await picture(tab, report, width, theme))
                print(path)


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:3])))
