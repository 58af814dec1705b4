"""A venue, engines on one home, and the oracle: real processes for drills of tier `wire`, and for the wire tests.

The venue is started here and outlives every engine, so the oracle can be asked after the engine is gone. Engines are
processes of their own session; signals go to their pid, and all of them are ended with the bench.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gridops.adapters.control_client import ask
from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from gridops.domain.records import Record, Sent
from gridops.domain.rules import Rules
from gridops.errors import Refused
from gridops.runtime import codec
from gridops.runtime.engine import recover
from gridops.runtime.ports_journal import Tail
from gridops.runtime.state import EngineState
from gridops.venue.handle import VenueHandle, spawn
from gridops.venue.options import VenueOptions

ACCOUNT = "paper"
SYMBOL = "BTCUSDT"
MARKET = "synthetic:7"
DWELL_S = 2
FEED_STALE_S = 2
FAST = {
    "GRIDOPS_HEALTH__DWELL_SECONDS": str(DWELL_S),
    "GRIDOPS_HEALTH__FEED_STALE_SECONDS": str(FEED_STALE_S),
    "GRIDOPS_GRID__SPACING_BPS": "2",
    "GRIDOPS_VENUE__MARKET": MARKET,
}
READS = {"openOrders": ("/openOrders",), "userTrades": ("/userTrades",), "positions": ("/positionRisk",)}
_START_S = 30.0
_ANSWER_S = 20.0
"""A machine with a long queue lets an engine wait for seconds before it answers."""


class BenchFailed(AssertionError):
    """A process did not do what it was started for; holds its own last words."""


class Engine:
    """One engine process."""

    def __init__(
        self,
        home: Path,
        environment: dict[str, str],
        program: tuple[str, ...] = ("-m", "gridops_cli"),
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.home = home
        self._errors = (home.parent / f"engine-{time.monotonic_ns()}.err").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, *program, "run", "--headless", "--json", "--home", str(home), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True,
            env=environment, cwd=home.parent,
        )  # fmt: skip
        self.since_s = time.monotonic()

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ask(self, command: str, **rest: Any) -> dict[str, Any]:
        """One request over the control socket; Refused when nobody answers."""
        socket = Home(self.home).control_socket(ACCOUNT)
        return ask(socket, {"command": command, "author": "test", **rest}, _ANSWER_S)

    def snapshot(self) -> dict[str, Any]:
        """What `status` answers: state, last transition, levels, and the port of the metrics."""
        reply = self.ask("status")
        return {**reply["snapshot"], "metrics_port": reply["metrics_port"]}

    def metrics(self) -> dict[str, float]:
        """`/metrics` as sample -> value."""
        url = f"http://127.0.0.1:{self.snapshot()['metrics_port']}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}

    def wait_state(self, *wanted: str, within_s: float = _START_S) -> dict[str, Any]:
        """The first snapshot in one of these states; fails with the engine's own words when it does not come."""
        seen: dict[str, Any] = {}

        def there() -> bool:
            seen.clear()
            seen.update(self.snapshot())
            return seen["state"] in wanted

        self.wait(there, within_s, lambda: f"{wanted}, last seen {seen}")
        return seen

    def wait(self, true: Callable[[], bool], within_s: float, what: Callable[[], str] | str) -> float:
        """Poll until true; the seconds it took. A socket that is not there yet counts as false."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < within_s:
            with contextlib.suppress(Refused):
                if true():
                    return time.monotonic() - began_s
            code = self.process.poll()
            if code is not None:
                raise BenchFailed(f"the engine ended with {code}: {self.errors()}")
            time.sleep(0.02)
        raise BenchFailed(f"not within {within_s} s: {what if isinstance(what, str) else what()}; {self.errors()}")

    def finish(self, within_s: float = 40.0) -> tuple[int, dict[str, Any]]:
        """Exit code and the JSON document it printed (empty when it printed none)."""
        out, _ = self.process.communicate(timeout=within_s)
        return self.process.returncode, json.loads(out) if out.strip() else {}

    def stop(self) -> dict[str, Any]:
        """An orderly stop; its report."""
        self.send(signal.SIGTERM)
        code, report = self.finish()
        if code != 0:
            raise BenchFailed(f"exit {code}: {self.errors()}")
        return report

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.communicate(timeout=10)

    def errors(self) -> str:
        """The end of its standard error."""
        return Path(self._errors.name).read_text("utf-8", "replace")[-2_000:]

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._errors.close()


class Bench:
    """One home with its venue; a context manager that leaves no process behind."""

    def __init__(self, folder: Path, *, speed: str = "1", idle_exit_s: str = "120", **settings: str) -> None:
        self.home = folder / "home"
        self.environment = {**os.environ, **FAST, **settings}
        self.environment["XDG_STATE_HOME"] = str(folder / "state")
        self.environment["GRIDOPS_EVIDENCE_DIR"] = str(self.home / "evidence")
        self.environment["GRIDOPS_VENUE__SPEED"] = speed
        Home(self.home).ensure()
        self.venue: VenueHandle = spawn(
            VenueOptions(
                store=Home(self.home).paper_venue_dir(ACCOUNT),
                market=self.environment["GRIDOPS_VENUE__MARKET"],
                speed=Decimal(speed),
                idle_exit_s=int(idle_exit_s),
                hold=True,
            )
        )
        self.program: tuple[str, ...] = ("-m", "gridops_cli")
        self.arguments: tuple[str, ...] = ()
        """What an engine is started as, and with what besides."""
        self.engines: list[Engine] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for engine in self.engines:
            engine.close()
        with contextlib.suppress(Exception):
            self.venue.stop()

    def start(self, *, active: bool = True) -> Engine:
        """A new engine on this home; waits until it quotes unless told not to."""
        engine = Engine(self.home, self.environment, self.program, self.arguments)
        self.engines.append(engine)
        if active:
            engine.wait_state("ACTIVE", "THROTTLED")
        return engine

    def truth(self) -> dict[str, Any]:
        """The account as the venue knows it, with its orders and fills."""
        truth = self.venue.truth()
        mine = self.venue.account
        return {
            **truth["accounts"][mine],
            "orders": [each for each in truth["orders"] if each["account"] == mine],
            "fills": [each for each in truth["fills"] if each["account"] == mine],
            "income": [each for each in truth["income"] if each["account"] == mine],
            "violations": truth["violations"],
            "now_ms": truth["now_ms"],
        }

    def position_lots(self) -> int:
        """Signed position by the oracle."""
        held = self.truth()["positions"].get(SYMBOL)
        return int(held["lots"]) if held else 0

    def resting(self) -> list[dict[str, Any]]:
        """Own orders that may still fill, by the oracle."""
        return [each for each in self.truth()["orders"] if each["status"] in ("NEW", "PARTIALLY_FILLED")]

    def fills(self) -> int:
        return len(self.truth()["fills"])

    def last_request(self) -> int:
        return int(self.venue.summary()["requests"])

    def requests(self, since: int) -> list[dict[str, Any]]:
        """The engine's requests after a sequence number."""
        return [each for each in self.venue.requests(since) if each["path"].startswith("/fapi")]


def journal_state(home: Path) -> EngineState:
    """The engine's state as its journal tells it: newest checkpoint, every later input through the real step."""
    with JournalReader(Home(home).journal(ACCOUNT)) as reader:
        checkpoint = reader.last_checkpoint()
        rows = list(reader.rows(checkpoint.seq + 1 if checkpoint else 0, 1 << 62))
    return recover(Tail(checkpoint, rows, 0), EngineState(rules=Rules(symbols=()))).state


def records(home: Path) -> Iterator[tuple[int, Record]]:
    """(wall ms, record) of the whole journal."""
    with JournalReader(Home(home).journal(ACCOUNT)) as reader:
        for row in reader.rows(0, 1 << 62):
            for record in codec.records_of(codec.decode_row(row.body)):
                yield row.wall_ms, record


def intents(home: Path) -> dict[str, list[Sent]]:
    """Client id -> every operation journaled for it."""
    found: dict[str, list[Sent]] = {}
    for _, record in records(home):
        if isinstance(record, Sent):
            found.setdefault(record.client_id, []).append(record)
    return found


def placed_ids(requests: list[dict[str, Any]]) -> set[str]:
    """Client ids of every place the venue received."""
    return {leg["newClientOrderId"] for each in requests for leg in legs(each) if each["method"] == "POST"}


def legs(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The order operations of one request: one, or those of a batch; none for anything else."""
    if request["path"].endswith("/batchOrders"):
        batch = request["params"].get("batchOrders")
        return list(json.loads(batch)) if batch else [request["params"]]
    return [request["params"]] if request["path"].endswith("/order") else []


def increases(bench: Bench, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Places and amends that may raise risk: all but those whose order was journaled as reduce-only."""
    safe = {client_id for client_id, sent in intents(bench.home).items() if all(each.reduce_only for each in sent)}
    safe |= {str(each["orderId"]) for each in bench.truth()["orders"] if each["clientOrderId"] in safe}
    names = ("newClientOrderId", "origClientOrderId", "orderId")
    return [
        each
        for each in requests
        if each["method"] in ("POST", "PUT")
        and any(safe.isdisjoint(str(leg.get(name)) for name in names) for leg in legs(each))
    ]


def reconciled_at(requests: list[dict[str, Any]]) -> int:
    """Sequence number of the request that completes the first full set of truth reads; raises when there is none."""
    firsts = []
    for name, ends in READS.items():
        seen = [each["seq"] for each in requests if each["method"] == "GET" and each["path"].endswith(ends)]
        if not seen:
            raise BenchFailed(f"no {name} read among {len(requests)} requests")
        firsts.append(seen[0])
    return int(max(firsts))


def differences(bench: Bench, name: str = SYMBOL) -> list[str]:
    """Where journal and venue differ. For a stopped engine: nothing may move while they are compared."""
    truth, state = bench.truth(), journal_state(bench.home)
    symbol = state.symbols[name]
    held = truth["positions"].get(name)
    lots = int(held["lots"]) if held else 0
    found = [] if symbol.position_lots == lots else [f"position {symbol.position_lots}, the venue's {lots}"]
    for asset, amount in truth["wallet"].items():
        ours = state.ledger.wallet.get(asset, Decimal(0))
        if abs(ours - Decimal(amount)) > Decimal("1e-8"):
            found.append(f"{asset}: {ours} in our books, {amount} at the venue")
    with JournalReader(Home(bench.home).journal(ACCOUNT)) as reader:
        booked = Counter(each.trade_id for each in reader.fills())
        known = {each.client_id for each in reader.orders()}
    found += fill_differences(truth, booked, state.ledger.income_since_ms)
    seen = {each["clientOrderId"] for each in truth["orders"]} | placed_ids(bench.requests(0))
    own = {client_id for client_id in seen if client_id.startswith("go")}
    found += [f"order {each} is not in the journal" for each in sorted(own - known)]
    found += [f"order {each} has no intent" for each in sorted(own - intents(bench.home).keys())]
    summary = bench.venue.summary()
    for what, held_wrong in (
        ("violations", truth["violations"]),
        ("unknown paths", summary["unknown_path_list"] if summary["unknown_paths"] else []),
        ("internal errors", summary["internal_errors"]),
    ):
        if held_wrong:
            found.append(f"the venue's {what}: {held_wrong}")
    return found


def fill_differences(truth: dict[str, Any], booked: Counter[int], opened_ms: int) -> list[str]:
    """Fills the books lack, have twice, or made up.

    What another hand traded before the books were opened is in the opening balance, whether a stream told it or not.
    """
    names = {each["orderId"]: str(each["clientOrderId"]) for each in truth["orders"]}
    found = [f"fill {trade_id} is booked {count} times" for trade_id, count in sorted(booked.items()) if count > 1]
    for each in truth["fills"]:
        trade_id, own = int(each["id"]), names.get(each["orderId"], "go").startswith("go")
        if trade_id not in booked and (own or int(each["time"]) >= opened_ms):
            found.append(f"fill {trade_id} of the venue is not booked")
    unknown = booked.keys() - {int(each["id"]) for each in truth["fills"]}
    return found + [f"fill {trade_id} is booked and not the venue's" for trade_id in sorted(unknown)]
