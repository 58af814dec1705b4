"""An operator's side of the control socket: send one request, and tell a dead engine from a hung one.

Plain sockets, so that a command does not load asyncio to ask. It checks the reply's shape and believes nothing else.
"""

import json
import os
import pwd
import socket
from pathlib import Path
from typing import Any

from gridops.errors import Refused

VERSION = 1
MAX_LINE = 64 * 1024

_DIRECT = (
    "`gridops kill --direct --reason TEXT` acts without the engine: it ends the process that holds the account, takes "
    "the lease, cancels own orders, closes the position reduce-only, and checks by a venue read"
)
Request = dict[str, Any]
Reply = dict[str, Any]


class EngineNotRunning(Refused):
    """Nobody listens on the socket: the engine is dead, or another home is meant."""


class EngineHung(Refused):
    """The socket takes connections and nobody answers: the engine is stopped or stuck."""


def ask(path: Path, request: Request, timeout_s: float) -> Reply:
    """Send one request and return the reply.

    Raises:
        EngineNotRunning: no socket, or nobody behind it, or it ended before it answered.
        EngineHung: it took the connection and gave no answer in `timeout_s`.
        Refused: the socket is not ours, or the answer is not one.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(timeout_s)
        try:
            line.connect(os.fspath(path))
            line.sendall(json.dumps({"v": VERSION, **request}).encode() + b"\n")
            return _read_reply(line, path)
        except (TimeoutError, BlockingIOError) as error:
            raise EngineHung(
                f"the engine behind {path} does not answer within {timeout_s:g} s",
                hint=_DIRECT,
            ) from error
        except (FileNotFoundError, ConnectionError) as error:
            raise EngineNotRunning(
                f"no engine answers at {path}",
                hint=f"another home may be meant (--home); {_DIRECT}",
            ) from error
        except OSError as error:
            raise Refused(f"the control socket {path} cannot be used: {error.strerror or error}") from error


def _read_reply(line: socket.socket, path: Path) -> Reply:
    data = b""
    while not data.endswith(b"\n") and len(data) <= 16 * MAX_LINE:
        chunk = line.recv(65_536)
        if not chunk:
            raise ConnectionResetError("it closed the connection")
        data += chunk
    try:
        reply = json.loads(data)
        if isinstance(reply, dict) and reply.get("v") == VERSION and isinstance(reply.get("accepted"), bool):
            return reply
    except (ValueError, RecursionError):
        pass
    raise Refused(f"what answers at {path} is no engine of this version")


def user_name(uid: int | None = None) -> str:
    """Name of a user, of the one at this terminal by default; `uid N` where the system knows none."""
    uid = os.getuid() if uid is None else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
