"""The gridops command in a process that dies by SIGKILL at one place: run in the place of `python -m gridops_cli`.

A place is a call site (module, function and what is called there), a moment beside the call (or `any`), and the state
the engine is in. `DOOM_MET` names the file that takes every place met, with its count at each power of two. The file
`DOOM` holds the place to die at and the how-manieth time, as JSON; it is read at the start and at SIGUSR1. A checkpoint
follows `DOOM_CHECKPOINTS` inputs. Nothing that decides is touched: primitives of the operating system, of SQLite and of
the HTTP client are wrapped, and the few methods through which frames and requests of operators pass.
"""

import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import aiohttp
import apsw
import gridops
from gridops.domain.events import Boot
from gridops.runtime.ports_journal import CheckpointRow

from gridops_cli import main

STARTING = "STARTING"
"""Before the engine has taken its first input."""
_OURS = str(Path(gridops.__file__).parent)
FILE_CALLS = ("replace", "rename", "unlink", "fsync", "pwrite", "ftruncate")
_PASSED = ("venue_wire.call", "ccxt_client.")
_EVENT = re.compile(rb'"e"\s*:\s*"(\w+)"')
_REQUEST: ContextVar[str] = ContextVar("doomed_request", default="")


class Doom:
    """Counts the places met, and dies at the one that was named."""

    def __init__(self, file: Path, doom: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._doom = doom
        self._wanted: dict[str, Any] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.RLock()
        self.engine: Any = None
        self.booted = False
        self.arm()
        signal.signal(signal.SIGUSR1, self.arm)

    def arm(self, *_signal: object) -> None:
        """Take the doom that is written now; what was met before does not count."""
        self._wanted = json.loads(self._doom.read_text())
        self._counts.clear()
        self._tell("armed", ("", "", ""), 0)

    def state(self) -> str:
        return str(self.engine.state.fsm.state.value) if self.booted else STARTING

    def meets(self, site: str, moment: str) -> None:
        """One place is passed; it may be the last."""
        if not site:
            return
        with self._lock:
            place = (site, moment, self.state())
            self._counts[place] += 1
            count = self._counts[place]
            if not count & (count - 1):
                self._tell("met", place, count)
            wanted = self._wanted
            if wanted and wanted["place"] in ([*place], [site, "any", place[2]]) and count == wanted["nth"]:
                self._tell("died", place, count)
                os.kill(os.getpid(), signal.SIGKILL)

    def _tell(self, what: str, place: tuple[str, str, str], count: int) -> None:
        os.write(self._file, json.dumps([what, *place, count]).encode() + b"\n")


def caller() -> str:
    """`module.function` of ours that is nearest below; empty when none is, as for a library's own files."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_OURS):
            name = f"{Path(path).stem}.{frame.f_code.co_name}"
            if not name.startswith(_PASSED):
                return name
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def wrap_files(doom: Doom) -> None:
    """Renames, removals, syncs and writes in place of plain files."""

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def done(*given: Any, **named: Any) -> Any:
            by = caller()
            site = f"{by} {name}" if by else ""
            doom.meets(site, "before")
            result = call(*given, **named)
            doom.meets(site, "after")
            return result

        return done

    for name in FILE_CALLS:
        setattr(os, name, wrapped(name, getattr(os, name)))


def wrap_journal(doom: Doom) -> None:
    """Commits, named after what is in them, and the folding of the log."""
    from gridops.adapters import journal_queue, journal_write

    inside = threading.local()

    class Connection(apsw.Connection):
        def execute(self, statement: str, *given: Any, **named: Any) -> Any:  # type: ignore[override]
            if statement != "COMMIT":
                return super().execute(statement, *given, **named)
            site = f"journal_write.write COMMIT {inside.what}"
            doom.meets(site, "before")
            result = super().execute(statement)
            doom.meets(site, "after")
            return result

        def __exit__(self, *error: Any) -> Any:
            site = f"{caller()} COMMIT"
            doom.meets(site, "before")
            result = super().__exit__(*error)
            doom.meets(site, "after")
            return result

        def wal_checkpoint(self, *given: Any, **named: Any) -> Any:
            site = f"{caller()} wal_checkpoint"
            doom.meets(site, "before")
            result = super().wal_checkpoint(*given, **named)
            doom.meets(site, "after")
            return result

    write = journal_write.BatchWriter.write

    def noted(self: Any, entries: Any, *, durable: bool) -> None:
        inside.what = _content(entries, durable)
        write(self, entries, durable=durable)

    apsw.Connection = Connection  # type: ignore[misc]
    journal_write.BatchWriter.write = noted  # type: ignore[method-assign]
    # A few seconds must do for what takes a busy engine minutes.
    journal_queue._IDLE_LOG_PAGES, journal_queue._MOST_LOG_PAGES = 20, 60


def _content(entries: Any, durable: bool) -> str:
    for each in entries:
        if callable(each):
            names = each.__qualname__.split(".")
            return str(names[-3] if "<locals>" in names else names[-1])
        if isinstance(each, CheckpointRow):
            return "checkpoint"
    return "rows durable" if durable else "rows"


def wrap_requests(doom: Doom) -> None:
    """REST: before it leaves, when it has left and no answer is there, and when the answer is."""
    request, start = aiohttp.ClientSession._request, aiohttp.ClientResponse.start

    async def asked(self: Any, method: str, url: Any, **named: Any) -> Any:
        by, path = caller(), str(url).partition("?")[0].partition("//")[2].partition("/")[2]
        # A socket is dialled in a task of the library's own, below which only the loop stands.
        site = f"{'venue_wire.connect' if path.endswith('/ws') else by} {method} {path}"
        token = _REQUEST.set(site)
        try:
            doom.meets(site, "before")
            answer = await request(self, method, url, **named)
            doom.meets(site, "answered")
            return answer
        finally:
            _REQUEST.reset(token)

    async def started(self: Any, connection: Any) -> Any:
        doom.meets(_REQUEST.get(), "left")
        return await start(self, connection)

    aiohttp.ClientSession._request = asked  # type: ignore[assignment, method-assign]
    aiohttp.ClientResponse.start = started  # type: ignore[method-assign]


def wrap_streams(doom: Doom) -> None:
    """Frames that arrive, by branch and event, and what is written into a socket."""
    from gridops.adapters.venue_wire import Socket

    on_data, send = Socket._on_data, Socket.send

    def arrived(self: Any, data: str | bytes) -> None:
        raw = data.encode() if isinstance(data, str) else data
        found = _EVENT.search(raw[:200])
        branch = next(each for each in ("private", "market", "public") if f"/{each}/" in self._url)
        site = f"venue_wire._on_data {branch} {found[1].decode() if found else 'answer'}"
        doom.meets(site, "before")
        on_data(self, data)
        doom.meets(site, "after")

    async def written(self: Any, message: dict[str, Any]) -> None:
        site = f"venue_wire.send send {message.get('method')}"
        doom.meets(site, "before")
        await send(self, message)
        doom.meets(site, "after")

    Socket._on_data = arrived  # type: ignore[method-assign]
    Socket.send = written  # type: ignore[method-assign]


def wrap_control(doom: Doom) -> None:
    """An operator's request as it is read, and its answer."""
    from gridops.adapters import control_socket

    parse, say = control_socket.parse_request, control_socket._say

    def parsed(line: bytes) -> Any:
        doom.meets("control_socket._answer request", "before")
        return parse(line)

    async def said(writer: Any, reply: Any) -> None:
        doom.meets("control_socket._say reply", "before")
        await say(writer, reply)
        doom.meets("control_socket._say reply", "after")

    control_socket.parse_request = parsed
    control_socket._say = said


def watch_engine(doom: Doom) -> None:
    """Know the engine, and from when on it is at work; checkpoints come often."""
    from gridops.runtime import engine
    from gridops.runtime.live_loop import LiveLoop

    begin, handle = LiveLoop.__init__, engine.Engine.handle

    def begun(self: Any, which: Any, **named: Any) -> None:
        doom.engine = which
        begin(self, which, **named)

    def handled(self: Any, header: Any, event: Any) -> Any:
        done = handle(self, header, event)
        if self is doom.engine and isinstance(event, Boot):
            doom.booted = True
        return done

    LiveLoop.__init__ = begun  # type: ignore[assignment, method-assign]
    engine.Engine.handle = handled  # type: ignore[method-assign]
    engine.CHECKPOINT_EVERY = int(os.environ.get("DOOM_CHECKPOINTS", "40"))


def extend_keys_often() -> None:
    """The listen key is extended every second and not each 25 minutes."""
    from gridops.adapters.user_stream import UserStream

    defaults = UserStream.__init__.__kwdefaults__
    assert defaults is not None and "extend_s" in defaults
    defaults["extend_s"] = 1.0


def install(doom: Doom) -> None:
    for wrap in (wrap_files, wrap_journal, wrap_requests, wrap_streams, wrap_control, watch_engine):
        wrap(doom)
    extend_keys_often()


if __name__ == "__main__":
    install(Doom(Path(os.environ["DOOM_MET"]), Path(os.environ["DOOM"])))
    main()
