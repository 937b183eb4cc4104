"""Draws each page of the support page, light, dark and narrow: `python -m tests.web.screenshots FOLDER`."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from assets.launch import run_everything
from pipeline.demo import make_demo
from pipeline.settings import Settings, load_settings
from tests.web.chromium import PAGES, SIGHTS, Window, support_page

_SIZE = "const all = document.documentElement; return [Math.max(all.scrollWidth, screen.width), all.scrollHeight];"


def draw(window: Window, folder: Path) -> Iterator[Path]:
    """Write each page as a picture, with what is folded open.

    Args:
        window: the browser.
        folder: where to.
    """
    for sight_name, sight in SIGHTS.items():
        window.see(sight)
        for page in PAGES:
            window.open(page)
            window.unfold()
            width, height = window.js(_SIZE)
            whole = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
            drawn = window.cdp("Page.captureScreenshot", captureBeyondViewport=True, clip=whole)["data"]
            path = folder / f"{re.sub('[^a-z]+', '-', page.name)}-{sight_name}.png"
            path.write_bytes(base64.b64decode(drawn))
            yield path


def small_demo(folder: Path) -> Settings:
    """Make the demo at a twentieth of its size, run everything on it, and return its settings."""
    paths = make_demo(folder, scale=0.05)
    settings = load_settings(paths.config, {})
    run_everything(settings, paths.config)
    return settings


def main(folder: Path) -> None:
    """Draw the pages of a demo that is made for it.

    Args:
        folder: where to; made where it is absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as made:
        settings = small_demo(Path(made) / "demo")
        (Path(made) / "web").mkdir()
        with support_page(settings, Path(made) / "web") as window:
            for path in draw(window, folder):
                sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
