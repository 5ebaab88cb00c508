"""A browser for the tests of the page: Debian's Chromium, driven by Playwright."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from credly_audit.audit.model import Audit
from tests.needs import common_folder, program
from tests.renderers.rendering import rendered

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; skips the test, with a reason, where there is none."""
    path = program("chromium")
    with sync_playwright() as playwright, common_folder("chromium-") as folder:  # it keeps a socket there
        environ = os.environ | {"TMPDIR": str(folder)}
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], env=environ)
        yield browser
        browser.close()


def written(audit: Audit, folder: Path) -> str:
    """The address of the page of an audit."""
    path = folder / "report.html"
    path.write_bytes(rendered("html", audit))
    return path.as_uri()


class Watched:
    """A page, and everything that went wrong on it or left it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda said: self.faults.append(said.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
