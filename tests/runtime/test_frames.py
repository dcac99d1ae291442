from __future__ import annotations

import pytest

from cloudburst.runtime.frames import Inbox, frame

MESSAGES = [("ready",), ("tasks", [1, 2, (b"x" * 1000, None)]), ("ended", 3.5, "text", ())]
STREAM = b"".join(map(frame, MESSAGES))


@pytest.mark.parametrize("piece", [1, 7, 8, 9, 100, len(STREAM) - 1, len(STREAM)])
def test_messages_come_out_whole_however_the_bytes_come_in(piece):
    inbox = Inbox()
    came = [message for start in range(0, len(STREAM), piece) for message in inbox.feed(STREAM[start : start + piece])]
    assert came == MESSAGES
    assert inbox.feed(b"") == []


def test_a_message_that_is_not_whole_yet_waits():
    inbox = Inbox()
    assert inbox.feed(STREAM[:-1]) == MESSAGES[:-1]
    assert inbox.feed(STREAM[-1:]) == MESSAGES[-1:]
