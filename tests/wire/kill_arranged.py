"""Scenes arranged so that an engine comes by the call sites which the plain scenes meet by chance only.

Reads that come every few minutes are asked for by an operator's `sync`, by money that moves or by a refused timestamp;
writes are still under way when a state is left, as their answers are late; sockets are cut where prices may be old.
"""

import signal
import time

from tests.wire.harness import Bench, Engine
from tests.wire.kill_scenes import SCENES, TRADING, Scene, dead, dwell, starting, trade

SETTINGS = {
    "GRIDOPS_HEALTH__FEED_STALE_SECONDS": "20",
    "GRIDOPS_OPERATIONS__BEAT_SECONDS": "1",
    "GRIDOPS_OPERATIONS__DEADMAN_SECONDS": "30",
}
"""Dials that no state ends for, and beats within seconds."""
SPARSE = {"GRIDOPS_GRID__LEVELS": "1"}
"""One rung a side: what leaves, leaves alone."""
LASTS = {"DEGRADED": {"GRIDOPS_HEALTH__DWELL_SECONDS": "5"}}
"""What a state needs to last; the others do until an operator ends them."""
ORDERS = ("/fapi/v1/order", "/fapi/v1/batchOrders")
CLOCK = -1021
LATE_MS = 6_000
"""Above the time after which a write in flight is asked for."""
HALT_S = 1.2
"""Above the lag of its loop that degrades an engine."""
LEFT_S = 1.5
"""Waited for amends, and for a place, to leave: the places before them must still be without an answer."""


def unsettle(bench: Bench, engine: Engine) -> None:
    """What makes an engine read, dial and write in any state."""
    late_writes(bench, "DELETE")
    bench.venue.fault("venue.reject", selector={"path": "/fapi/v1/countdownCancelAll"}, code=CLOCK, status=400, n=2)
    bench.venue.fault("venue.external", what="transfer", amount="5")
    bench.venue.fault("ws.close", target="market")
    engine.ask("sync", reason="scene")
    dwell(engine, 1.0)
    trade(bench, engine)


def late_writes(bench: Bench, *methods: str) -> None:
    """The next write of each kind is carried out, and answered late."""
    for method in methods:
        for path in ORDERS:
            bench.venue.fault("rest.delay_resp", selector={"method": method, "path": path}, ms=LATE_MS, n=1)


def doubt(bench: Bench, engine: Engine) -> None:
    """Neither an answer nor a stream tells what became of a write: the order is asked for."""
    bench.venue.fault("ws.silent", target="user")
    late_writes(bench, "POST", "PUT", "DELETE")
    dwell(engine, 3.5)
    bench.venue.fault("ws.unmute", target="user")


def busy(bench: Bench, engine: Engine) -> None:
    """Quoting with a position, and with a write of each kind under way: the state that comes finds them."""
    _amending(bench, engine)
    if SPARSE.items() <= bench.environment.items():
        # Another hand cancels both rungs: a place of each leaves alone.
        since = bench.last_request()
        bench.venue.fault("rest.delay_resp", selector={"method": "POST", "path": ORDERS[0]}, ms=LATE_MS, n=1)
        bench.venue.fault("venue.external", what="cancel")
        _wait_left(bench, engine, since, {("POST", ORDERS[0])})


def _amending(bench: Bench, engine: Engine) -> None:
    engine.wait_state(*TRADING, "PAUSED")
    bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.040")
    engine.ask("pause", reason="scene")
    engine.wait_state("PAUSED")
    late_writes(bench, "POST")
    engine.ask("resume", reason="scene")
    engine.wait_state(*TRADING)
    since = bench.last_request()
    late_writes(bench, "PUT")
    # Wider rungs: the whole ladder is amended.
    engine.ask("signal", reason="scene", signal={"name": "toxicity", "scaled": 1_500, "ttl_ms": 2_000})
    _wait_left(bench, engine, since, {("PUT", path) for path in ORDERS})


def _wait_left(bench: Bench, engine: Engine, since: int, wanted: set[tuple[str, str]]) -> None:
    """Until requests of all these kinds have left, or not."""
    until_s = time.monotonic() + LEFT_S
    while not dead(engine) and time.monotonic() < until_s:
        if wanted <= {(each["method"], each["path"]) for each in bench.requests(since)}:
            return
        time.sleep(0.1)


def ready(bench: Bench, engine: Engine) -> None:
    engine.wait_state("READY")
    bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.060")
    dwell(engine, 2.0)
    doubt(bench, engine)
    unsettle(bench, engine)
    dwell(engine, 3.0)


def active(bench: Bench, engine: Engine) -> None:
    engine.wait_state("ACTIVE")
    doubt(bench, engine)
    unsettle(bench, engine)
    dwell(engine, 2.0)


def throttled(bench: Bench, engine: Engine) -> None:
    engine.wait_state(*TRADING)
    engine.ask("signal", reason="scene", signal={"name": "toxicity", "scaled": 1_500, "ttl_ms": 20_000})
    engine.wait_state("THROTTLED")
    doubt(bench, engine)
    unsettle(bench, engine)
    dwell(engine, 2.0)


def paused(bench: Bench, engine: Engine) -> None:
    busy(bench, engine)
    engine.ask("pause", reason="scene")
    engine.wait_state("PAUSED")
    doubt(bench, engine)
    unsettle(bench, engine)
    dwell(engine, 3.0)
    engine.ask("resume", reason="scene")
    dwell(engine, 0.5)


def degraded(bench: Bench, engine: Engine) -> None:
    """No stream tells what became of the writes: the orders are asked for, and cancelled one by one."""
    busy(bench, engine)
    late_writes(bench, "DELETE")
    bench.venue.fault("ws.silent", target="user")
    _halt(engine)
    dwell(engine, 3.0)
    bench.venue.fault("ws.unmute", target="user")
    unsettle(bench, engine)
    dwell(engine, 2.0)


def halted(_bench: Bench, engine: Engine) -> None:
    """Halted again and again just as a ladder leaves: commits of its rows are still under way when the state comes."""
    for _ in range(6):
        engine.wait_state(*TRADING)
        _halt(engine)


def _halt(engine: Engine) -> None:
    engine.send(signal.SIGSTOP)
    time.sleep(HALT_S)
    engine.send(signal.SIGCONT)
    engine.wait_state("DEGRADED")


def emergency(bench: Bench, engine: Engine) -> None:
    busy(bench, engine)
    engine.ask("kill", reason="scene")
    engine.wait_state("EMERGENCY")
    unsettle(bench, engine)
    dwell(engine, 3.0)
    engine.wait(lambda: bool(engine.ask("ack", reason="scene")["accepted"]), 30.0, "flat, and acknowledged")
    dwell(engine, 1.0)


def stopping(bench: Bench, engine: Engine) -> None:
    """A stop that also closes: its orders and its reads, beside cancels and answers that are late."""
    busy(bench, engine)
    late_writes(bench, "DELETE")
    bench.venue.fault("ws.silent", target="user")
    engine.ask("stop", reason="scene", stop_mode="flatten")
    dwell(engine, 2.5)
    bench.venue.fault("ws.unmute", target="user")
    unsettle(bench, engine)
    dwell(engine, 15.0)


def lone_cancel(bench: Bench, engine: Engine) -> None:
    """A pause leaves the one rung that reduces, and a stop finds it."""
    engine.wait_state(*TRADING)
    bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.010")
    dwell(engine, 1.5)
    engine.ask("pause", reason="scene")
    engine.wait_state("PAUSED")
    dwell(engine, 1.5)
    engine.ask("stop", reason="scene", stop_mode="flatten")
    dwell(engine, 10.0)


def lone_doubt(bench: Bench, engine: Engine) -> None:
    """Of two rungs one is amended without an answer, and nothing tells of the other."""
    _amending(bench, engine)
    bench.venue.fault("ws.silent", target="user")
    _halt(engine)
    dwell(engine, 4.0)


ARRANGED_SCENES: dict[str, Scene] = {
    **SCENES, "STARTING": starting, "READY": ready, "ACTIVE": active, "THROTTLED": throttled, "PAUSED": paused,
    "DEGRADED": degraded, "HALTED": halted, "EMERGENCY": emergency, "STOPPING": stopping,
    "LONE STOPPING": lone_cancel, "LONE DEGRADED": lone_doubt,
}  # fmt: skip
