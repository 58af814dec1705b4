"""`/metrics`, `/healthz` and `/readyz` over plain HTTP on the loopback interface, inside the running event loop.

Read only, and a stranger's bytes can do nothing: no other path, no other method, short requests, short time-outs, a
bounded number of connections. It refuses to listen where another host could connect, and to answer a request that a
browser was tricked into sending under a foreign name.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable
from http import HTTPStatus

from gridops.domain.values import value
from gridops.errors import ConfigError

_MAX_HEAD = 8192
_MAX_CONNECTIONS = 32
_TEXT = "text/plain; charset=utf-8"


@value
class Check:
    """The answer of a health question; `detail` is one line for the reader."""

    ok: bool
    detail: str


def step_age_check(age_ms: Callable[[], int | None], limit_ms: int) -> Callable[[], Check]:
    """Healthy while the engine's last step is younger than the limit; an engine that never stepped is not."""

    def check() -> Check:
        age = age_ms()
        if age is None:
            return Check(False, "no step yet")
        return Check(age < limit_ms, f"last step {age} ms ago, limit {limit_ms} ms")

    return check


class StatusServer:
    """Serves the three pages until closed."""

    def __init__(
        self,
        *,
        render: Callable[[], bytes],
        health: Callable[[], Check],
        ready: Callable[[], Check],
        content_type: str = "text/plain; version=0.0.4; charset=utf-8",
        host: str = "127.0.0.1",
        port: int = 0,
        timeout_s: float = 2.0,
    ) -> None:
        self._host, self._wanted_port, self._timeout_s = _loopback(host), port, timeout_s
        self._pages: dict[str, Callable[[], tuple[HTTPStatus, str, bytes]]] = {
            "/metrics": lambda: (HTTPStatus.OK, content_type, render()),
            "/healthz": lambda: _verdict(health()),
            "/readyz": lambda: _verdict(ready()),
        }
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.failures = 0

    @property
    def port(self) -> int:
        """The port listened on, once started."""
        assert self._server is not None, "not started"
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to listen. ConfigError if the port is taken or forbidden."""
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host, self._wanted_port, limit=_MAX_HEAD, backlog=_MAX_CONNECTIONS
            )
        except (OSError, OverflowError) as error:
            reason = f"cannot serve metrics on {self._host}:{self._wanted_port}: {error}"
            raise ConfigError(reason, hint="choose another port; 0 takes a free one") from error

    async def close(self) -> None:
        """Stop listening and drop what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= _MAX_CONNECTIONS:
                async with asyncio.timeout(self._timeout_s):
                    writer.write(self._answer(await _head(reader)))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # a slow or vanished client, or we are closing
        finally:
            self._open.discard(task)
            # Abort, not close: a client that does not read must not hold our memory.
            with contextlib.suppress(Exception):
                writer.transport.abort()

    def _answer(self, head: bytes | None) -> bytes:
        status, path, is_head = _judge(head)
        if status is not HTTPStatus.OK:
            return _response(status, _TEXT, f"{status.phrase}\n".encode())
        page = self._pages.get(path)
        if page is None:
            return _response(HTTPStatus.NOT_FOUND, _TEXT, b"/metrics /healthz /readyz\n")
        try:
            found, content_type, body = page()
        except Exception:  # a page that fails must not end the server, and must not say why to a stranger
            self.failures += 1
            found, content_type, body = HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"failed\n"
        return _response(found, content_type, body, without_body=is_head)


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    """The request's head; None if it is too long or ends early."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None


def _judge(head: bytes | None) -> tuple[HTTPStatus, str, bool]:
    """What to answer before looking at the path, the path, and whether only the head is wanted."""
    first, *rest = (head or b"").decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1"):
        return HTTPStatus.BAD_REQUEST, "", False
    if words[0] not in ("GET", "HEAD"):
        return HTTPStatus.METHOD_NOT_ALLOWED, "", False
    hosts = [text.partition(":")[2].strip() for text in rest if text.lower().startswith("host:")]
    if len(hosts) > 1 or not all(map(_is_local_name, hosts)):
        return HTTPStatus.MISDIRECTED_REQUEST, "", False
    return HTTPStatus.OK, words[1].partition("?")[0], words[0] == "HEAD"


def _is_local_name(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return name.lower() == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _loopback(host: str) -> str:
    if not _is_local_name(f"[{host}]"):
        raise ConfigError(
            f"metrics address {host!r} is not a loopback address (allowed: 127.0.0.0/8, ::1, localhost)",
            hint="let a local collector or a reverse proxy with authentication publish them",
        )
    return "127.0.0.1" if host.lower() == "localhost" else host


def _verdict(check: Check) -> tuple[HTTPStatus, str, bytes]:
    detail = check.detail.encode("ascii", "backslashreplace").replace(b"\n", b" ")
    status = HTTPStatus.OK if check.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return status, _TEXT, (b"ok " if check.ok else b"not ok ") + detail + b"\n"


def _response(status: HTTPStatus, content_type: str, body: bytes, *, without_body: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if without_body else body)
