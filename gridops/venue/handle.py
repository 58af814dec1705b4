"""A client's hold on a venue process: start one, find a running one, ask its oracle, use its control port, stop it.

Sits beside the process, without its libraries: standard library only, quick to import. It never kills; a venue that
does not stop when asked is reported.
"""

import http.client
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from gridops.errors import VenueUnavailable
from gridops.venue.options import VenueOptions, as_arguments
from gridops.venue.store import read_note

LOG = "venue.log"
START_WITHIN_S = 30.0
_ANSWER_WITHIN_S = 5.0
_HIDDEN = frozenset({"api_secret", "control_token", "api_key"})


class VenueHandle:
    """A venue that was reached: its URLs, its throw-away credentials, and what can be asked of it."""

    def __init__(self, note: Mapping[str, Any], process: "subprocess.Popen[bytes] | None" = None) -> None:
        self.note = dict(note)
        self.rest = str(note["rest"])
        self.ws = str(note["ws"])
        self.ws_api = str(note["ws_api"])
        self.account = str(note["account"])
        self.api_key = str(note["api_key"])
        self.api_secret = str(note["api_secret"])
        self.control_token = str(note["control_token"])
        self.pid = int(note["pid"])
        self.store = Path(note["store"])
        self.market = str(note["market"])
        self.symbols = tuple(str(name) for name in note["symbols"])
        self.process = process

    def __repr__(self) -> str:
        shown = {name: held for name, held in self.note.items() if name not in _HIDDEN}
        return f"VenueHandle({shown})"

    def summary(self) -> dict[str, Any]:
        """Counters and clocks of the venue; raises VenueUnavailable."""
        return self._ask("GET", "/oracle/summary")

    def truth(self) -> dict[str, Any]:
        """Accounts, orders, fills and books as the venue knows them."""
        return self._ask("GET", "/oracle/truth")

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Every request the venue received after a sequence number."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._ask("GET", f"/oracle/requests?since={since}")["requests"]
            found += page
            if not page:
                return found
            since = page[-1]["seq"]

    def command(self, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One control command; raises VenueUnavailable with the venue's text when it is refused."""
        return self._ask("POST", f"/control/{name}", body or {})

    def fault(self, verb: str, **rest: Any) -> dict[str, Any]:
        """Arm a fault."""
        return self.command("fault", {"verb": verb, **rest})

    def alive(self) -> bool:
        """Whether the process exists and answers as itself."""
        if self.process is not None and self.process.poll() is not None:
            return False
        try:
            return bool(self.summary()["pid"] == self.pid)
        except VenueUnavailable:
            return False

    def stop(self, within_s: float = 10.0) -> None:
        """Ask for an orderly stop and wait for it; raises VenueUnavailable when it does not come."""
        try:
            self.command("stop")
        except VenueUnavailable:
            if self._gone():
                return
            raise
        until_s = time.monotonic() + within_s
        while not self._gone():
            if time.monotonic() > until_s:
                raise VenueUnavailable(f"the venue (pid {self.pid}) did not stop within {within_s:g} s")
            time.sleep(0.02)

    def _gone(self) -> bool:
        if self.process is not None:
            return self.process.poll() is not None
        return not _exists(self.pid) or read_note(self.store) is None

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        host = self.rest.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=_ANSWER_WITHIN_S)
        try:
            data = None if body is None else json.dumps(body, default=str).encode()
            connection.request(method, path, data, {"X-Control-Token": self.control_token})
            reply = connection.getresponse()
            answer = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise VenueUnavailable(f"the venue at {self.rest} does not answer: {error}") from error
        finally:
            connection.close()
        if reply.status != 200:
            raise VenueUnavailable(f"the venue refused {path}: {answer.get('error', answer)}")
        return dict(answer)


def spawn(options: VenueOptions, *, within_s: float = START_WITHIN_S) -> VenueHandle:
    """Start a venue as its own process in its own session and wait for its ready line.

    Its standard error goes to `venue.log` in the store. Raises VenueUnavailable with the last line of it when the
    venue does not come up.
    """
    options.store.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_path = options.store / LOG
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gridops.venue.process", *as_arguments(options)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = _first_line(process.stdout, within_s)
    finally:
        process.stdout.close()
    if line:
        return VenueHandle(json.loads(line), process)
    if process.poll() is None and not _ended_soon(process):
        process.kill()
        process.wait()
        raise VenueUnavailable(f"the venue did not come up within {within_s:g} s", hint=f"see {log_path}")
    raise VenueUnavailable(f"the venue did not start: {_last_line(log_path)}", hint=f"see {log_path}")


def attach(store: Path) -> VenueHandle | None:
    """The venue running on a store, or None when there is none that answers."""
    note = read_note(store)
    if note is None:
        return None
    try:
        handle = VenueHandle(note)
    except (KeyError, TypeError, ValueError):
        return None
    return handle if _exists(handle.pid) and handle.alive() else None


def _first_line(stream: IO[bytes], within_s: float) -> bytes:
    until_s = time.monotonic() + within_s
    data = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not data.endswith(b"\n"):
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not selector.select(left_s):
                return b""
            chunk = os.read(stream.fileno(), 65_536)
            if not chunk:
                return b""
            data += chunk
    return data


def _ended_soon(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    wanted = [line for line in lines if line.startswith("error: ")] or lines or ["no word on standard error"]
    return wanted[-1].removeprefix("error: ")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
