"""When a view may send."""

from flower.notebook.feed import BUSY_GAP, PATIENCE, Feed


def test_messages_are_numbered_from_one():
    feed = Feed()
    assert [feed.sent(0.0) for _ in range(3)] == [1, 2, 3]


def test_nothing_is_sent_where_nobody_answers():
    feed = Feed()
    feed.sent(0.0)
    assert feed.may_send(PATIENCE, busy=False)
    assert not feed.may_send(PATIENCE + 0.1, busy=False)


def test_an_answer_to_the_newest_message_ends_the_wait():
    feed = Feed()
    feed.sent(0.0)
    feed.heard(1)
    assert feed.may_send(1e6, busy=False)


def test_an_answer_to_an_older_message_prolongs_the_wait():
    feed = Feed()
    feed.sent(0.0)
    feed.sent(4.0)
    feed.heard(1)
    assert feed.may_send(4.0 + PATIENCE, busy=False)
    assert not feed.may_send(4.1 + PATIENCE, busy=False)


def test_an_answer_to_what_was_never_sent_is_none():
    feed = Feed()
    feed.sent(0.0)
    feed.heard(99)
    assert feed.acknowledged == 1


def test_a_busy_kernel_sends_on_but_seldom():
    feed = Feed()
    feed.sent(0.0)
    now = PATIENCE + 1
    assert feed.may_send(now, busy=True)
    feed.sent(now)
    assert not feed.may_send(now + BUSY_GAP / 2, busy=True)
    assert feed.may_send(now + BUSY_GAP, busy=True)
