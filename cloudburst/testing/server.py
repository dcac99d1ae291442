"""The HTTP server in front of moto: every request passes those who may answer it instead."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from cloudburst.testing.answers import Answer, Refusal
from cloudburst.testing.operations import Request

_log = logging.getLogger("cloudburst.testing")

Handler = Callable[[Request], Answer | None]


class Gate:
    """The application that every request comes to, before moto."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self.handlers: list[Handler] = []
        """Asked in turn; the first that answers is the one, else moto."""
        self.active = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        with self._lock:
            self.active += 1
        try:
            return self._answered(request, start_response)
        finally:
            with self._lock:
                self.active -= 1

    def _answered(self, request: Request, start_response: Any) -> Iterable[bytes]:
        try:
            answer = next(filter(None, (handler(request) for handler in self.handlers)), None)
        except Refusal as refusal:
            answer = refusal.answer(request.service)
        if answer is None and not request.loses_answer:
            answered: Iterable[bytes] = self._moto(request.environ, start_response)
            return answered
        if request.loses_answer:
            if answer is None:
                list(self._moto(request.environ, _ignore))
            raise ConnectionResetError("the answer is lost")  # the server then closes the connection
        assert answer is not None
        return answer.send(start_response)


def _ignore(*_: Any) -> Any:
    return None


class _Quiet(MotoRequestHandler):
    def log(self, _: str, message: str, *args: Any) -> None:
        _log.debug(message, *args)

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:  # noqa: ARG002
        self.close_connection = True


class Server:
    """The server's thread, on a free port of the loopback interface."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="cloudburst fake aws", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Take no more requests, and return when those under way are answered."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for _ in range(500):
            if not self._gate.active:
                break
            time.sleep(0.01)
