"""Widgets without a browser: their comms write down what they would send."""

import comm
import pytest
from comm.base_comm import BaseComm

from flower.notebook import showing
from flower.notebook.view_widget import Library


class Written(BaseComm):
    """A comm that keeps its messages."""

    every: "list[Written]" = []  # noqa: RUF012  # emptied by the fixture

    def __init__(self, *args, **kwargs):
        self.messages = []
        Written.every.append(self)
        super().__init__(*args, **kwargs)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        self.messages.append((msg_type, data, buffers or []))


class Paper(showing.Screen):
    """A screen that keeps what is shown on it."""

    def __init__(self):
        self.shown = []
        self.made_ = []
        self.cell_runs = False

    def busy(self):
        return self.cell_runs

    def publish(self, data, metadata, display_id, update):
        self.shown.append((data, metadata, display_id, update))

    def made(self, live):
        self.made_.append(live)


@pytest.fixture
def comms(monkeypatch):
    Written.every = []
    monkeypatch.setattr(comm, "create_comm", Written)
    monkeypatch.setattr(Library, "_one", None)
    return Written.every


@pytest.fixture
def paper(comms, monkeypatch):
    """A screen, and nobody but the test who asks what is shown on it to send."""
    monkeypatch.setattr(showing.ticker, "add", lambda live: None)
    screen = Paper()
    showing.use(screen)
    yield screen
    for live in screen.made_:
        live.close()
    showing.use(None)


@pytest.fixture
def sent():
    """The custom messages of a view, without their buffers."""

    def messages(view):
        return [data["content"] for kind, data, _ in view.comm.messages if kind == "comm_msg" and "content" in data]

    return messages
