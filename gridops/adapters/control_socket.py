"""The operator's way into a running engine, the engine's side: one unix socket (0600), one JSON line each way.

Sits in the engine's loop and hands well-formed requests to `handle`; it decides nothing, and whatever is malformed, too
long or from another user is answered with an error. The other side is `control_client`.
"""

import asyncio
import contextlib
import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

from gridops.adapters.control_client import MAX_LINE, VERSION, Reply, Request, user_name
from gridops.adapters.redaction import every_known
from gridops.domain.vocabulary import OperatorCommand, StopMode
from gridops.errors import Refused

READ_WITHIN_S = 5.0
HANDLE_WITHIN_S = 15.0
CONNECTIONS = 16
COMMANDS = frozenset(command.value for command in OperatorCommand)
_NEED_REASON = frozenset({"pause", "resume", "ack", "kill", "signal"})
_TEXT_LIMITS = {"author": 80, "reason": 500, "digest": 64}
_FIELDS = frozenset({"v", "command", "author", "reason", "accept_position", "stop_mode", "signal", "digest"})
_SIGNAL_FIELDS = {"name": str, "scaled": int, "ttl_ms": int}
_CREDENTIALS = struct.Struct("3i")


class Malformed(Exception):
    """A request that is not one; its text goes back to the sender."""


class ControlServer:
    """Serves requests until closed. `handle` gets a checked request with the sender's `peer_uid` and `peer_pid`."""

    def __init__(self, path: Path, handle: Callable[[Request], Awaitable[Reply]]) -> None:
        self.path = path
        self._handle = handle
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Refused when another engine answers on the path or it cannot be had."""
        _clear_stale(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(os.fspath(self.path))
            # Closed to others before anybody can connect: connecting needs `listen`.
            os.chmod(self.path, 0o600)
        except OSError as error:
            listener.close()
            raise Refused(f"the control socket {self.path} cannot be made: {error.strerror}") from error
        self._inode = self.path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_LINE)

    async def close(self) -> None:
        """Stop listening, end open connections, remove the socket if it is still ours. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in set(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await server.wait_closed()
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pid, uid = _peer(writer)
        if len(self._open) > CONNECTIONS:
            return
        while True:
            try:
                line = await asyncio.wait_for(reader.readline(), READ_WITHIN_S)
            except TimeoutError:
                return
            except ValueError:
                await _say(writer, _refusal(f"a request is longer than {MAX_LINE} bytes"))
                return
            if not line:
                return
            await _say(writer, await self._answer(line, pid, uid))

    async def _answer(self, line: bytes, pid: int, uid: int) -> Reply:
        if uid not in (os.getuid(), 0):
            return _refusal("the control socket belongs to another user")
        try:
            request = parse_request(line)
        except Malformed as error:
            return _refusal(f"malformed request: {error}")
        # A reason is journaled, shown and bundled; a key that was pasted into it must not be.
        known = every_known()
        request |= {name: known.redact(held) for name, held in request.items() if isinstance(held, str)}
        request["author"] = request["author"] or user_name(uid)
        request["peer_uid"], request["peer_pid"] = uid, pid
        try:
            reply = await asyncio.wait_for(self._handle(request), HANDLE_WITHIN_S)
        except TimeoutError:
            return _refusal(f"the engine gave no answer within {HANDLE_WITHIN_S:g} s")
        except Exception as error:
            # A bug, told to the loop as one; the operator learns that the request was not taken.
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a control request failed", "exception": error}
            )
            return _refusal(f"the engine failed on this request ({type(error).__name__}); see its log")
        return {**_refusal(""), **reply}


def parse_request(line: bytes) -> Request:
    """A request with every field present and checked; raises Malformed."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Malformed("it is not JSON") from error
    if not isinstance(said, dict):
        raise Malformed("it is not an object")
    if unknown := sorted(str(name)[:40] for name in said.keys() - _FIELDS):
        raise Malformed(f"unknown field {unknown[0]!r}")
    if type(said.get("v")) is not int or said["v"] != VERSION:
        raise Malformed(f"version {said.get('v')!r:.40} is not {VERSION}")
    command = said.get("command")
    if not isinstance(command, str) or command not in COMMANDS:
        raise Malformed(f"command {command!r:.40} is none of {', '.join(sorted(COMMANDS))}")
    texts = {name: _text(said, name, limit) for name, limit in _TEXT_LIMITS.items()}
    if command in _NEED_REASON and not texts["reason"]:
        raise Malformed(f"{command} needs a reason")
    accept, stop_mode = said.get("accept_position", False), said.get("stop_mode")
    if not isinstance(accept, bool):
        raise Malformed("accept_position is neither true nor false")
    if stop_mode is not None and stop_mode not in [mode.value for mode in StopMode]:
        raise Malformed(f"stop_mode {stop_mode!r:.40} is none of {', '.join(StopMode)}")
    return {
        "v": VERSION,
        "command": command,
        **texts,
        "accept_position": accept,
        "stop_mode": stop_mode,
        "signal": _signal(said.get("signal"), wanted=command == "signal"),
    }


def _signal(said: object, *, wanted: bool) -> Request | None:
    """Of the command `signal` alone: a name, a whole number and a lifetime; what they mean the engine judges."""
    if not wanted and said is None:
        return None
    fits = isinstance(said, dict) and said.keys() == _SIGNAL_FIELDS.keys()
    if not wanted or not fits or not isinstance(said, dict):
        raise Malformed(f"signal needs exactly {', '.join(_SIGNAL_FIELDS)}" if wanted else "only signal carries one")
    for name, kind in _SIGNAL_FIELDS.items():
        if type(said[name]) is not kind or len(str(said[name])) > 40:
            raise Malformed(f"signal.{name} is no {kind.__name__} of at most 40 characters")
    return dict(said)


def _refusal(detail: str) -> Reply:
    return {"v": VERSION, "accepted": False, "state": "", "detail": detail, "evidence": None}


def _text(said: Request, name: str, limit: int) -> str:
    text = said.get(name) or ""
    if not isinstance(text, str) or len(text) > limit or not (text.isprintable() or not text):
        raise Malformed(f"{name} is not plain text of at most {limit} characters")
    return text.strip()


def _peer(writer: asyncio.StreamWriter) -> tuple[int, int]:
    connection = writer.get_extra_info("socket")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return pid, uid


async def _say(writer: asyncio.StreamWriter, reply: Reply) -> None:
    writer.write(json.dumps(reply, default=str).encode() + b"\n")
    await asyncio.wait_for(writer.drain(), READ_WITHIN_S)


def _clear_stale(path: Path) -> None:
    """Remove a socket whose engine is gone. Refused when somebody listens, or when it is no socket."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Refused(f"{path} stands where the control socket belongs, and is no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise Refused(f"the control socket {path} is taken: {error}") from error
    raise Refused(f"another engine listens on {path}", hint="`gridops fsm show` tells which")
