"""A real JupyterLab and a real Chromium, for what only a browser can show.

    def test_something(notebook_page):
        page = notebook_page(notebook)          # put into the Lab, opened, every cell run
        page.get_by_role("button", name="Fail").click()

The law of this file: nothing leaves this machine.  The Lab listens on loopback, on a port that the kernel chose, with
settings of its own in a temporary folder; the browser's every request to another host is refused, written down, and
fails the test at its end.  Waiting is for a state (the kernel is idle, every cell has its number), never for a time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from requirements import need

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
START_DEADLINE_S = 60
PAGE_TIMEOUT_MS = 60_000
RUN_TIMEOUT_MS = 120_000

BROWSER_ARGUMENTS = [
    "--no-sandbox",  # tests may run as root, where Chromium has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LAB_SETTINGS = {
    # The question about news would lie over the page; a long notebook must be in the page as a whole.
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
LAB_FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
}
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}

KERNEL_IS_IDLE = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const session = panel?.sessionContext;
    return Boolean(panel?.context?.isReady && session?.isReady && session.session?.kernel?.status === 'idle');
}"""
RUN_ALL = "async () => { await window.jupyterapp.commands.execute('runmenu:run-all'); }"
EVERY_CELL_HAS_RUN = """() => {
    const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells];
    return cells.every(cell => cell.type !== 'code' || !cell.sharedModel.source.trim() || cell.executionCount !== null);
}"""
ERRORS = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
    .filter(cell => cell.type === 'code').flatMap(cell => cell.outputs.toJSON())
    .filter(output => output.output_type === 'error').map(output => output.ename + ': ' + output.evalue)"""
SHUT_DOWN = "async () => { await window.jupyterapp?.shell.currentWidget?.sessionContext.shutdown(); }"


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab and the folder that it shows."""

    url: str
    folder: Path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on loopback, without a password, for this run only."""
    need(importlib.util.find_spec("jupyterlab") is not None, "JupyterLab is not installed")
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    (home / "config" / "labconfig").mkdir(parents=True)
    (home / "config" / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(LAB_SETTINGS))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"]
    command += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.extension_manager=readonly", f"--ServerApp.root_dir={home / 'notebooks'}"]
    environment = {**os.environ, **{name: str(home / folder) for name, folder in LAB_FOLDERS.items()}}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield Lab(_url_when_up(process, home), home / "notebooks")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url_when_up(process: subprocess.Popen[bytes], home: Path) -> str:
    """The address, which the server writes down once it has a port, when it answers there."""
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        log = (home / "log").read_text(errors="replace")
        assert process.poll() is None, f"JupyterLab ended by itself:\n{log}"
        assert time.monotonic() < deadline, f"JupyterLab is not up after {START_DEADLINE_S} s:\n{log}"
        for found in (home / "runtime").glob("jpserver-*.json"):
            try:
                url = str(json.loads(found.read_text())["url"]).rstrip("/")
                urllib.request.urlopen(f"{url}/api/status", timeout=5).close()
            except (ValueError, urllib.error.URLError):
                continue
            return url
        time.sleep(0.05)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium: the system's, because playwright would have to download its own."""
    need(CHROMIUM is not None, "Chromium is not installed")
    need(importlib.util.find_spec("playwright") is not None, "playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def notebook_page(browser: Any, lab: Lab) -> Iterator[Callable[..., Any]]:
    """A function that opens a notebook (a path, or a notebook node) in the Lab and runs all its cells."""
    context = browser.new_context(viewport={"width": 1200, "height": 1400}, reduced_motion="reduce")
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    outside: list[str] = []
    pages: list[Any] = []

    def only_loopback(route: Any) -> None:
        if route.request.url.startswith((f"{lab.url}/", "data:", "blob:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    def open_notebook(notebook: Any, expect_errors: bool = False) -> Any:
        name = f"page-{time.time_ns()}.ipynb"
        if isinstance(notebook, Path):
            shutil.copy(notebook, lab.folder / name)
        else:
            notebook.metadata.setdefault("kernelspec", KERNEL)  # else the Lab asks which kernel to use
            nbformat.write(notebook, lab.folder / name)
        page = context.new_page()
        pages.append(page)
        page.goto(f"{lab.url}/lab/workspaces/{name.partition('.')[0]}/tree/{name}")
        page.wait_for_function(KERNEL_IS_IDLE, timeout=PAGE_TIMEOUT_MS)
        page.evaluate(RUN_ALL)
        page.wait_for_function(EVERY_CELL_HAS_RUN, timeout=RUN_TIMEOUT_MS)
        page.wait_for_function(KERNEL_IS_IDLE, timeout=RUN_TIMEOUT_MS)
        assert expect_errors or page.evaluate(ERRORS) == []
        return page

    context.route("**/*", only_loopback)
    context.outside, context.outside_on_purpose = outside, set()
    yield open_notebook
    for page in pages:
        page.evaluate(SHUT_DOWN)
    context.close()
    asked = sorted(set(outside) - context.outside_on_purpose)
    assert asked == [], f"the page asked other hosts: {asked}"
