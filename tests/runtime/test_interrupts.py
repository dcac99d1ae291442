from __future__ import annotations

import signal
import threading

import pytest

from cloudburst.runtime.interrupts import uninterrupted


def test_ctrl_c_is_heard_again_after_the_block():
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_heard_again_after_an_error_in_the_block():
    with pytest.raises(ValueError, match="inside"), uninterrupted():
        raise ValueError("inside")
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_another_thread_changes_nothing():
    heard = []

    def look():
        with uninterrupted():
            heard.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert heard == [signal.getsignal(signal.SIGINT)]
    assert heard != [signal.SIG_IGN]
