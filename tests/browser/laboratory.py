"""JupyterLab on the loopback, with nothing of the user's configuration, and what a person does in it."""

import ast
import json
import os
import re
import secrets
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, Request

ROOT = Path(__file__).parents[2]
RUNNING = re.compile(r"(http://127\.0\.0\.1:\d+/)lab\?token=")

# No news and no look for updates: nothing leaves the machine.
QUIET = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/completer-extension/manager": {"autoCompletion": False},
}


@dataclass
class Server:
    """A running JupyterLab."""

    url: str
    token: str
    notebooks: Path
    process: subprocess.Popen[str]
    reader: threading.Thread

    def ask(self, path: str, method: str = "GET") -> object:
        """What its API answers."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    @contextmanager
    def kernel(self) -> Iterator[Callable[[str], object]]:
        """Ask the kernel that runs what expressions are, without a page; no cell runs meanwhile, as it knows."""
        [known] = self.ask("api/kernels")  # type: ignore[misc]
        client = BlockingKernelClient(
            connection_file=str(self.notebooks.parent / "runtime" / f"kernel-{known['id']}.json")
        )
        client.load_connection_file()
        client.start_channels()

        def ask(expression: str) -> object:
            reply = client.execute("", silent=True, user_expressions={"asked": expression}, reply=True, timeout=30)
            answer = reply["content"]["user_expressions"]["asked"]
            assert answer["status"] == "ok", f"{expression}: {answer.get('ename')}: {answer.get('evalue')}"
            return ast.literal_eval(answer["data"]["text/plain"])

        try:
            yield ask
        finally:
            client.stop_channels()

    def end_kernels(self) -> None:
        """End every kernel, so that tests do not meet."""
        for session in self.ask("api/sessions"):  # type: ignore[attr-defined]
            self.ask(f"api/sessions/{session['id']}", "DELETE")

    def close(self) -> None:
        """End it and its kernels."""
        self.end_kernels()
        self.process.terminate()
        self.process.wait(30)
        self.reader.join(30)
        assert self.process.stderr is not None
        self.process.stderr.close()


def start(home: Path) -> Server:
    """Start one that keeps everything in ``home``."""
    notebooks = home / "notebooks"
    notebooks.mkdir()
    for name, values in QUIET.items():
        plugin = home / "settings" / f"{name}.jupyterlab-settings"
        plugin.parent.mkdir(parents=True, exist_ok=True)
        plugin.write_text(json.dumps(values))
    token = secrets.token_hex(16)
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    environment = {
        **os.environ,
        **{name: str(home / place) for name, place in places.items()},
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "JUPYTER_TOKEN": token,
    }
    arguments = [
        "--no-browser",
        "--ip=127.0.0.1",
        "--port=0",
        "--allow-root",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        f"--ServerApp.root_dir={notebooks}",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := RUNNING.search(line):
            reader = threading.Thread(target=process.stderr.read, daemon=True)  # or it would block on a full pipe
            reader.start()
            return Server(found[1], token, notebooks, process, reader)
    raise RuntimeError("JupyterLab did not start:\n" + "".join(said))


@contextmanager
def watched(browser: Browser, server: Server, complaints: list[str]) -> Iterator[Page]:
    """A page that may ask JupyterLab only; what else it asks, what it complains of and says goes to ``complaints``."""
    context = browser.new_context(viewport={"width": 1300, "height": 1500})
    context.set_default_timeout(30_000)
    page = context.new_page()

    def asked(request: Request) -> None:
        if not request.url.startswith((server.url, server.url.replace("http:", "ws:"), "data:", "blob:")):
            complaints.append(f"request: {request.url}")

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def stopped(dialog: Dialog) -> None:
        # To leave a page with what is not saved is asked for; a script that a name brought is not.
        if dialog.type != "beforeunload":
            complaints.append(f"dialog: {dialog.message}")
        dialog.accept()

    page.on("request", asked)
    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", stopped)
    try:
        yield page
    finally:
        context.close()


class Notebook:
    """A notebook in the browser."""

    def __init__(self, page: Page, server: Server, name: str, workspace: str) -> None:
        self.page = page
        self.server = server
        self.name = name
        self.url = f"{server.url}lab/workspaces/{workspace}/tree/{name}.ipynb?token={server.token}"

    def open(self) -> "Notebook":
        """Go there, and wait for its kernel."""
        self.page.goto(self.url)
        return self.wait_for_kernel()

    def open_in_notebook(self) -> "Notebook":
        """Go there in Notebook 7, which the same server has."""
        self.page.goto(f"{self.server.url}notebooks/{self.name}.ipynb?token={self.server.token}")
        return self.wait_for_kernel()

    def reload(self) -> "Notebook":
        """Load the page again; the kernel stays."""
        self.page.reload()
        return self.wait_for_kernel()

    def wait_for_kernel(self) -> "Notebook":
        """Wait until the page has the notebook and its kernel answers."""
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel", timeout=60_000
        )
        self.page.evaluate(
            """async () => {
                const {context} = jupyterapp.shell.currentWidget
                await context.ready
                await context.sessionContext.ready
                await context.sessionContext.session.kernel.info
            }"""
        )
        return self

    def wait_until_idle(self) -> "Notebook":
        """Wait until no cell runs."""
        self.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status === 'idle'",
            timeout=60_000,
        )
        return self

    def cell(self, number: int) -> Locator:
        """A cell, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number: int) -> Locator:
        """What stands below a cell."""
        return self.cell(number).locator(".jp-Cell-outputArea")

    def write(self, number: int, text: str) -> "Notebook":
        """Write a cell anew."""
        self.page.evaluate(
            "([at, text]) => jupyterapp.shell.currentWidget.content.widgets[at].model.sharedModel.setSource(text)",
            [number, text],
        )
        return self

    def run(self, number: int, *, wait: bool = True) -> "Notebook":
        """Run a cell; ``wait`` until it is done."""
        self.page.evaluate(
            """async ([number, wait]) => {
                jupyterapp.shell.currentWidget.content.activeCellIndex = number
                const done = jupyterapp.commands.execute("notebook:run-cell")
                if (wait) await done
            }""",
            [number, wait],
        )
        return self

    def theme(self, name: str) -> "Notebook":
        """Choose JupyterLab's colours."""
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        return self

    def save(self) -> dict[str, object]:
        """Save it, and read the file."""
        with self.page.expect_response(
            lambda answer: f"/api/contents/{self.name}.ipynb" in answer.url and answer.request.method == "PUT"
        ):
            self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        said: dict[str, object] = json.loads((self.server.notebooks / f"{self.name}.ipynb").read_text())
        return said


def written(path: Path, cells: list[str]) -> None:
    """Write a notebook of code cells."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    path.write_text(json.dumps({"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}))


def bundles(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """What a saved cell shows; not the places where nothing stands any more."""
    return [
        output["data"]
        for output in cell["outputs"]
        if any("".join(text) if isinstance(text, list) else text for text in output.get("data", {}).values())
    ]


Open = Callable[..., Notebook]
