"""The widget's messages, over a comm that writes them down."""

import threading

import pytest

from flower.notebook.feed import PATIENCE
from flower.notebook.view_widget import PNG, View


class Counter:
    """A content that counts how often it was asked."""

    def __init__(self, kind="table"):
        self.kind = kind
        self.lock = threading.RLock()
        self.value = 0
        self.told = []
        self.quiet = False

    def snapshot(self):
        return {"value": self.value}

    def changes(self):
        if self.quiet:
            return None
        self.value += 1
        return {"type": "patch", "value": self.value}, [b"bytes"]

    def command(self, name):
        self.told.append(name)

    def picture(self, png, width, height):
        self.told.append((png, width, height))


@pytest.fixture
def view(comms):
    made = View(Counter())
    yield made
    made.close()


def hear(view, message, buffers=()):
    view._handle_custom_msg(message, list(buffers))


def test_the_first_snapshot_is_in_the_open_state(view):
    kind, data, _ = view.comm.messages[0]
    assert kind == "comm_open"
    assert data["state"]["snapshot"] == {"type": "snapshot", "seq": 0, "value": 0}
    assert data["state"]["kind"] == "table"


def test_a_push_is_one_numbered_message_with_its_buffers(view, sent):
    assert view.push(0.0) and view.push(0.1)
    assert sent(view) == [{"type": "patch", "value": 1, "seq": 1}, {"type": "patch", "value": 2, "seq": 2}]
    assert view.comm.messages[-1][2] == [b"bytes"]


def test_nothing_new_is_no_message(view, sent):
    view._content.quiet = True
    assert not view.push(0.0)
    assert sent(view) == []


def test_nothing_is_computed_or_sent_where_nobody_looks_until_somebody_does(view):
    view.push(0.0)
    assert not view.push(PATIENCE + 1)
    assert view._content.value == 1
    hear(view, {"type": "resync"})
    hear(view, {"type": "ack", "seq": 1})
    assert view.push(PATIENCE + 2)


def test_a_resync_gives_everything_under_the_newest_number(view, sent):
    view.push(0.0)
    hear(view, {"type": "resync"})
    assert sent(view)[-1]["type"] == "snapshot"
    assert sent(view)[-1]["value"] == 2  # with what was not sent yet


def test_the_number_after_a_resync_follows_its_snapshot(view, sent):
    view.push(0.0)
    hear(view, {"type": "resync"})
    view.push(0.1)
    snapshot, patch = sent(view)[-2:]
    assert patch["seq"] == snapshot["seq"] + 1


def test_a_page_that_comes_later_gets_the_moment(view):
    view.push(0.0)
    view.push(0.1)
    assert view.get_state()["snapshot"] == {"type": "snapshot", "seq": 3, "value": 3}


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "ack",
        {},
        {"type": "ack"},
        {"type": "ack", "seq": "1"},
        {"type": "command", "name": ["stop"]},
        {"type": "picture", "width": 1, "height": "1"},
        {"type": "picture", "width": 10**9, "height": 1},
        {"type": "unknown"},
    ],
)
def test_a_message_of_another_shape_does_nothing(view, message, sent):
    hear(view, message, [memoryview(PNG)])
    assert view._content.told == []
    assert sent(view) == []


def test_a_picture_must_be_a_png(view):
    hear(view, {"type": "picture", "width": 2, "height": 1}, [memoryview(b"<svg onload=alert(1)>")])
    assert view._content.told == []
    hear(view, {"type": "picture", "width": 2, "height": 1}, [memoryview(PNG + b"...")])
    assert view._content.told == [(PNG + b"...", 2, 1)]


def test_the_last_message_says_that_it_is_the_end(view, sent):
    view.push(0.0)
    view.finish(1e9)
    assert sent(view)[-1] == {"type": "snapshot", "seq": 3, "value": 2, "ended": True}


def test_closing_leaves_no_comm_open(comms):
    view = View(Counter())
    view.close()
    assert len(comms) == 2
    assert [comm.messages[-1][0] for comm in comms] == ["comm_close"] * 2
    assert not view.push(0.0)
    view.close()


def test_bokehjs_is_sent_once_for_all_charts(comms):
    views = [View(Counter("chart")) for _ in range(3)]
    carrying = [comm for comm in comms if any(len(part) > 500_000 for _, _, parts in comm.messages for part in parts)]
    assert len(carrying) == 1
    assert {view.library for view in views} == {carrying[0].comm_id}
    for view in views:
        view.close()
