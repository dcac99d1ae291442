"""The HTTP server in front of moto: every request passes those who may answer it instead."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO, Any, cast

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wsgi import LimitedStream

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


class _Connection(MotoRequestHandler):
    """One connection, which stays open for the next request, as AWS keeps it. werkzeug's own closes it each time."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def setup(self) -> None:
        super().setup()
        self.server.open_connections.add(self.connection)  # type: ignore[attr-defined]

    def finish(self) -> None:
        self.server.open_connections.discard(self.connection)  # type: ignore[attr-defined]
        super().finish()

    def run_wsgi(self) -> None:
        """Answer one request."""
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        self.environ = environ = self.make_environ()
        if not environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = LimitedStream(
                cast("IO[bytes]", self.rfile), int(environ.get("CONTENT_LENGTH") or 0)
            )
        body = environ["wsgi.input"]
        try:
            self._give(environ)
        except ConnectionError:
            self.close_connection = True
        except Exception:  # noqa: BLE001  # one request goes wrong, and the server stays
            _log.exception("%s %s", self.command, self.path)
            self._write("500 Internal Server Error", [], [b""])
        while not self.close_connection and body.read(1 << 20):  # what nobody has read would be the next request
            pass
        self.wfile.flush()

    def _give(self, environ: dict[str, Any]) -> None:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            started.append((status, headers))

        answered = self.server.app(environ, start_response)
        try:
            body = list(answered)
        finally:
            if hasattr(answered, "close"):
                answered.close()
        self._write(*started[-1], body)

    def _write(self, status: str, headers: list[tuple[str, str]], body: list[bytes]) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in names and self.command != "HEAD" and code not in {"204", "304"}:
            self.send_header("Content-Length", str(sum(map(len, body))))
        self.end_headers()
        if self.command != "HEAD":
            for part in body:
                self.wfile.write(part)

    def log(self, _: str, message: str, *args: Any) -> None:
        _log.debug(message, *args)


class Server:
    """The server's thread, on a free port of the loopback interface."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=_Connection)
        self._server.open_connections = set()  # type: ignore[attr-defined]
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
        for connection in [*self._server.open_connections]:  # type: ignore[attr-defined]
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for _ in range(500):
            if not self._gate.active and not self._server.open_connections:  # type: ignore[attr-defined]
                break
            time.sleep(0.01)
