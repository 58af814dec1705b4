"""How an engine is brought into each state and kept busy there, so that every call site of it is met; and what a
restart after a death has to show.

Drives real processes of the program `doomed`: each dies at a place, the next one is judged, and may die after that.
"""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gridops.adapters.evidence_verify import verify
from gridops.domain.values import record
from gridops.errors import Refused
from tests.wire.harness import FAST, Bench, BenchFailed, Engine, differences, increases, placed_ids, reconciled_at

ROOT = Path(__file__).resolve().parents[2]
DOOMED = str(Path(__file__).with_name("doomed.py"))
TRADING = ("ACTIVE", "THROTTLED")
ANY = "any"
"""Moment of a place: whichever of its site comes first."""
LIVES = 3
"""How often a place is tried before it counts as not met again."""
STARTS = ("STARTING", "INIT", "READY", "LATCHED")
OF_A_START = (
    "venue_queries._read GET fapi/v1/exchangeInfo",
    "venue_queries._read GET fapi/v1/symbolConfig",
    "venue_queries._read GET fapi/v1/time",
    "venue_wire._on_data market answer",
    "venue_wire._on_data public answer",
    "venue_wire.connect GET market/ws",
    "venue_wire.connect GET public/ws",
    "venue_wire.send send SUBSCRIBE",
)
"""What an EMERGENCY comes by only when it begins with the start, by the latch that a dead engine left."""
COME_OVER = "journal_write.write COMMIT rows durable"
"""A DEGRADED has it when it comes over writes of the last milliseconds: among the arranged scenes is one for it."""
LONE = "ccxt_venue._execute DELETE fapi/v1/order"
"""A stop, or a trust that is lost, has it when one order is left to cancel: the arranged scenes have one for each."""
SETTLE_S = 0.3
"""After a SIGKILL the venue may still read what the dead engine had written into its sockets."""
EQUAL_WITHIN_S, LOOKS = 10.0, 4
"""A busy machine takes seconds for one look, within which the market goes on."""
Scene = Callable[[Bench, Engine], None]


@record
class Place:
    """Where an engine dies."""

    site: str
    moment: str
    state: str

    def __str__(self) -> str:
        return f"{self.site}, {self.moment}, {self.state}"


@record
class Return:
    """What the restart after a death showed."""

    ready_s: float
    """From the start of the process to the end of the first reconcile, as the state tells it."""
    trading_s: float
    faults: tuple[str, ...]


def scene_of(place: Place) -> str:
    """The scene that comes by there: the latch is taken away in the INIT after an emergency."""
    if place.state == "EMERGENCY" and place.site in OF_A_START:
        return "LATCHED"
    if place.state == "DEGRADED" and place.site == COME_OVER:
        return "HALTED"
    if place.state in ("STOPPING", "DEGRADED") and place.site == LONE:
        return f"LONE {place.state}"
    return "EMERGENCY" if place.site.startswith("kill_latch") else place.state


def open_bench(folder: Path, settings: Mapping[str, str] = FAST) -> Bench:
    """A quick market, and an engine that may be doomed."""
    doomed = {
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "commands"))),
        "DOOM_MET": str(folder / "met.jsonl"),
        "DOOM": str(folder / "doom.json"),
    }
    return Bench(folder, speed="3", **doomed, **settings)


def write_doom(bench: Bench, place: Place | None, nth: int) -> None:
    doom = {} if place is None else {"place": [place.site, place.moment, place.state], "nth": nth}
    Path(bench.environment["DOOM"]).write_text(json.dumps(doom))


def start_doomed(bench: Bench, place: Place | None, nth: int = 1) -> Engine:
    """An engine that will die there; with no place it only says what it met."""
    write_doom(bench, place, nth)
    bench.program = (DOOMED,)
    return bench.start(active=False)


def arm(bench: Bench, engine: Engine, place: Place | None, nth: int) -> None:
    """The running engine will die there; counted from now."""
    file = Path(bench.environment["DOOM_MET"])
    before = file.read_text().count('"armed"')
    write_doom(bench, place, nth)
    engine.send(signal.SIGUSR1)
    engine.wait(lambda: file.read_text().count('"armed"') > before, 10.0, "the doom was not taken")


def met(folder: Path) -> Counter[Place]:
    """Every place met so far, with the highest count that was told."""
    found: Counter[Place] = Counter()
    for line in (folder / "met.jsonl").read_text().splitlines():
        what, site, moment, state, count = json.loads(line)
        if what == "met":
            place = Place(site=site, moment=moment, state=state)
            found[place] = max(found[place], count)
    return found


def died(folder: Path) -> set[Place]:
    """Every place that an engine of this folder or below died at."""
    lines = [json.loads(line) for file in folder.rglob("met.jsonl") for line in file.read_text().splitlines()]
    return {Place(site=site, moment=moment, state=state) for what, site, moment, state, _ in lines if what == "died"}


def dead(engine: Engine) -> bool:
    return engine.process.poll() is not None


def dwell(engine: Engine, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while not dead(engine) and time.monotonic() < until_s:
        time.sleep(0.05)


def trade(bench: Bench, engine: Engine) -> None:
    """Somebody else's hand on the account, and streams that break."""
    bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.020")
    dwell(engine, 1.2)
    bench.venue.fault("venue.external", what="order", side="SELL", quantity="0.010")
    bench.venue.fault("ws.close", target="user")
    dwell(engine, 1.5)


def starting(bench: Bench, engine: Engine) -> None:
    engine.wait_state(*TRADING)


def init(bench: Bench, engine: Engine) -> None:
    engine.wait_state("INIT")
    trade(bench, engine)
    dwell(engine, 1.0)
    bench.venue.command("clear", {})
    dwell(engine, 1.5)


def ready(bench: Bench, engine: Engine) -> None:
    engine.wait_state("READY")
    trade(bench, engine)
    bench.venue.fault("ws.close", target="market")
    dwell(engine, 2.0)


def active(bench: Bench, engine: Engine) -> None:
    engine.wait_state("ACTIVE")
    dwell(engine, 2.5)
    trade(bench, engine)
    dwell(engine, 3.0)


def throttled(bench: Bench, engine: Engine) -> None:
    engine.wait_state(*TRADING)
    engine.ask("signal", reason="scene", signal={"name": "toxicity", "scaled": 1_500, "ttl_ms": 20_000})
    engine.wait_state("THROTTLED")
    dwell(engine, 2.5)
    trade(bench, engine)
    dwell(engine, 3.0)


def paused(bench: Bench, engine: Engine) -> None:
    engine.wait_state(*TRADING)
    dwell(engine, 1.5)
    engine.ask("pause", reason="scene")
    engine.wait_state("PAUSED")
    dwell(engine, 1.0)
    trade(bench, engine)
    bench.venue.fault("ws.close", target="market")
    dwell(engine, 2.0)
    engine.ask("resume", reason="scene")
    dwell(engine, 0.5)


def degraded(bench: Bench, engine: Engine) -> None:
    engine.wait_state(*TRADING)
    dwell(engine, 1.0)
    engine.send(signal.SIGSTOP)
    time.sleep(1.5)
    engine.send(signal.SIGCONT)
    engine.wait_state("DEGRADED")
    bench.venue.fault("ws.silent", target="market")
    trade(bench, engine)
    dwell(engine, 1.0)
    bench.venue.fault("ws.close", target="market")
    bench.venue.fault("ws.unmute", target="market")
    dwell(engine, 3.0)


def emergency(bench: Bench, engine: Engine) -> None:
    engine.wait_state(*TRADING)
    bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.020")
    dwell(engine, 1.0)
    engine.ask("kill", reason="scene")
    engine.wait_state("EMERGENCY")
    dwell(engine, 1.0)
    trade(bench, engine)
    dwell(engine, 2.0)
    engine.wait(lambda: bool(engine.ask("ack", reason="scene")["accepted"]), 30.0, "flat, and acknowledged")
    dwell(engine, 1.0)


def latched(bench: Bench, engine: Engine) -> None:
    engine.wait_state("EMERGENCY")
    trade(bench, engine)
    bench.venue.fault("ws.close", target="market")
    dwell(engine, 2.0)
    engine.wait(lambda: bool(engine.ask("ack", reason="scene")["accepted"]), 30.0, "flat, and acknowledged")
    dwell(engine, 1.0)


def stopping(bench: Bench, engine: Engine) -> None:
    engine.wait_state(*TRADING)
    dwell(engine, 2.0)
    bench.venue.fault("rest.delay_resp", selector={"method": "DELETE"}, ms=2_500)
    engine.send(signal.SIGTERM)
    dwell(engine, 0.3)
    engine.ask("status")
    bench.venue.fault("ws.close", target="market")
    bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.010")
    dwell(engine, 0.5)
    bench.venue.fault("ws.close", target="user")
    dwell(engine, 15.0)


SCENES: dict[str, Scene] = {
    "STARTING": starting, "INIT": init, "READY": ready, "ACTIVE": active, "THROTTLED": throttled, "PAUSED": paused,
    "DEGRADED": degraded, "EMERGENCY": emergency, "STOPPING": stopping, "LATCHED": latched,
}  # fmt: skip


def play(
    bench: Bench,
    scene: str,
    place: Place | None,
    nth: int = 1,
    engine: Engine | None = None,
    scenes: Mapping[str, Scene] = SCENES,
) -> bool:
    """One scene with an engine that may die in it; whether it did. Leaves no engine and no fault behind.

    An engine that trades already may be given, unless the scene is one of a start.
    """
    try:
        if engine is None or scene in STARTS:
            engine = _begin(bench, scene, engine, place, nth)
        else:
            arm(bench, engine, place, nth)
        scenes[scene](bench, engine)
    except (BenchFailed, Refused):
        # The words of an engine that is gone; one that is there and did not come so far is a finding.
        if engine is None or not _dies(engine):
            raise
    died = _dies(engine) and engine.process.returncode == -signal.SIGKILL
    engine.kill()
    calm(bench)
    return died


def _begin(bench: Bench, scene: str, running: Engine | None, place: Place | None, nth: int) -> Engine:
    """A start, armed: after the crash of what runs, if anything does; for `LATCHED` of one that was killed."""
    if scene == "LATCHED":
        if running is None:
            running = start_doomed(bench, None)
            running.wait_state(*TRADING)
        running.ask("kill", reason="scene")
        running.wait_state("EMERGENCY")
    if running is not None:
        running.kill()
        time.sleep(SETTLE_S)
    if scene == "INIT":
        bench.venue.fault("rest.http", selector={"path": "/fapi/v1/userTrades"}, status=503, body="Unavailable.")
    bench.arguments = ("--no-armed",) if scene == "READY" else ()
    engine = start_doomed(bench, place, nth)
    bench.arguments = ()
    return engine


def _dies(engine: Engine) -> bool:
    """Is it dead, or about to be?"""
    for _ in range(10):
        if dead(engine):
            return True
        time.sleep(0.05)
    return False


def calm(bench: Bench) -> None:
    """No fault stands any more, and what a dead engine had sent has arrived."""
    bench.venue.command("clear", {})
    bench.venue.fault("ws.unmute", target="all")
    time.sleep(SETTLE_S)


def come_back(bench: Bench) -> tuple[Engine, Return]:
    """Start again until it trades, pause it, hold its books against the oracle's, and let it go on."""
    since = bench.last_request()
    engine = start_doomed(bench, None)
    engine.wait(lambda: engine.snapshot()["state"] != "INIT", 60.0, "the end of INIT")
    ready_s = time.monotonic() - engine.since_s
    if engine.snapshot()["state"] == "EMERGENCY":
        engine.wait(lambda: bool(engine.ask("ack", reason="scene")["accepted"]), 60.0, "flat, and acknowledged")
    engine.wait(lambda: _trades(engine), 60.0, "trading")
    trading_s = time.monotonic() - engine.since_s
    dwell(engine, 0.5)
    engine.ask("pause", reason="compare")
    engine.wait_state("PAUSED")
    faults = _faults(bench, since)
    engine.ask("resume", reason="compare")
    return engine, Return(ready_s=ready_s, trading_s=trading_s, faults=tuple(faults))


def _trades(engine: Engine) -> bool:
    """Whether it does; a pause that the dead engine had been told is taken back, which READY may come before."""
    state = engine.snapshot()["state"]
    if state == "PAUSED":
        engine.ask("resume", reason="scene")
    return state in TRADING


def _faults(bench: Bench, since: int) -> list[str]:
    found = _settled_differences(bench)
    requests = bench.requests(since)
    risky = increases(bench, requests)
    if risky and risky[0]["seq"] <= reconciled_at(requests):
        found.append(f"risk before the reconcile: {risky[0]}")
    found += twice(bench.requests(0))
    kept = verify(bench.home / "evidence")
    if not kept.ok:
        found.append(f"evidence: {kept}")
    return found


def _settled_differences(bench: Bench) -> list[str]:
    """What differs at every look: a fill, a commit or a request may be under way at any one of them."""
    until_s = time.monotonic() + EQUAL_WITHIN_S
    lasting: dict[str, str] | None = None
    looks = 0
    while lasting is None or (lasting and (looks < LOOKS or time.monotonic() < until_s)):
        looks += 1
        found = {_subject(line): line for line in differences(bench)}
        lasting = {subject: line for subject, line in found.items() if lasting is None or subject in lasting}
        time.sleep(0.2 if lasting else 0.0)
    return list(lasting.values())


def _subject(line: str) -> str:
    """An order or a fill by its name; of anything else the kind, as its figures move."""
    return line if line.startswith(("order ", "fill ")) else line.split()[0]


def twice(requests: list[dict[str, Any]]) -> list[str]:
    """Client ids that were placed by more than one request."""
    counts: Counter[str] = Counter()
    for each in requests:
        if each["method"] == "POST":
            counts.update(placed_ids([each]))
    return [f"order {name} was sent {count} times" for name, count in counts.items() if count > 1]


@record
class Tally:
    """What a number of deaths came to."""

    missed: list[Place]
    """Not met again in all the lives tried."""
    returns: list[Return]
    wrong: list[str]

    def add(self, other: "Tally") -> None:
        self.missed.extend(other.missed)
        self.returns.extend(other.returns)
        self.wrong.extend(other.wrong)

    def show(self, what: str) -> None:
        print(f"{what}: {len(self.returns)} deaths, {len(self.wrong)} wrong, {len(self.missed)} places not met again")
        for name in ("ready_s", "trading_s"):
            took = sorted(getattr(each, name) for each in self.returns)
            if took:
                p99 = took[min(len(took) - 1, len(took) * 99 // 100)]
                print(f"  {name}: p50 {took[len(took) // 2]:.1f} p99 {p99:.1f} max {took[-1]:.1f}")
        for place in self.missed:
            print(f"  not met again: {place}")
        for fault in self.wrong:
            print(f"  wrong: {fault}")


def die_at(
    bench: Bench, deaths: list[tuple[Place, int]], scenes: Mapping[str, Scene] = SCENES, lives: int = LIVES
) -> Tally:
    """One death after the other on one account, each followed by a restart that is judged and may die next."""
    tally = Tally(missed=[], returns=[], wrong=[])
    engine: Engine | None = None
    if deaths[0][0].state == "INIT":
        # Over what a crash left: an INIT with orders out meets more than an account's first.
        engine = come_back(bench)[0]
    for place, nth in deaths:
        try:
            engine = _die(bench, place, [nth, *[1] * (lives - 1)], tally, engine, scenes)
        except BenchFailed as error:
            tally.wrong.append(f"{place}, time {nth}: it did not come back: {error}")
            print(tally.wrong[-1], flush=True)
            for each in bench.engines:
                each.close()
            calm(bench)
            engine = None
    if engine is not None:
        engine.wait_state(*TRADING, "PAUSED", "READY")
        engine.stop()
        tally.wrong.extend(f"at the end: {each}" for each in differences(bench))
    return tally


def _die(
    bench: Bench, place: Place, tries: list[int], tally: Tally, engine: Engine | None, scenes: Mapping[str, Scene]
) -> Engine:
    nth = tries[0]
    for count in tries:
        if play(bench, scene_of(place), place, count, engine, scenes):
            break
        engine = None
    else:
        tally.missed.append(place)
    engine, back = come_back(bench)
    if place not in tally.missed:
        tally.returns.append(back)
    tally.wrong.extend(f"{place}, time {nth}: {fault}" for fault in back.faults)
    print(f"{place}, time {nth}: ready {back.ready_s:.1f} s {back.faults}", flush=True)
    return engine
