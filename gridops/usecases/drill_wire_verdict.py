"""What a drill of tier `wire` proved, by the emulator's oracle, the journal on the disk and the processes' own ends.

The engine's word counts for nothing here. Running engines are stopped in order before books are compared.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gridops.adapters.home import Home
from gridops.adapters.journal_reader import JournalReader
from gridops.domain.records import Transition
from gridops.domain.values import record
from gridops.runtime import codec
from gridops.sim.drill_process_words import WIRE_EXPECTS
from gridops.sim.drill_spec import Drill
from gridops.sim.drill_verdict import Check
from gridops.usecases.drill_bench import Bench, BenchFailed, Engine, differences, increases
from gridops.venue.handle import VenueHandle

_LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
_LISTENS = "0A"
CLOCKS_MS = 10
"""So far apart may the venue's clock and ours be read on one machine."""


@record
class Fact:
    """What the run left to look at. Times are wall milliseconds."""

    drill: Drill
    home: Path
    account: str
    venue: VenueHandle
    bench: Bench | None
    engines: Sequence[Engine]
    began_ms: int
    done: Mapping[str, int]
    answers: Mapping[str, Sequence[str]]
    stuck: str

    def at_ms(self, name: str) -> int:
        """When a step was done; `start` and an unknown fault count from the beginning."""
        if name == "fault" and name not in self.done:
            names = [step.name for step in self.drill.steps if step.do != "mark"]
            name = names[0] if names else "start"
        return self.done.get(name, self.began_ms)

    def engine(self, number: int) -> Engine:
        return self.engines[number - 1]


def judge(drill: Drill, fact: Fact) -> list[Check]:
    """Every expectation in its order; those about a running engine are looked at before it is stopped."""
    early = {
        place: _JUDGES[each.that](fact, each.args) for place, each in enumerate(drill.expects) if _early(each.that)
    }
    ending = _stop(fact)
    late = {
        place: _JUDGES[each.that](fact, each.args) for place, each in enumerate(drill.expects) if not _early(each.that)
    }
    made = {**early, **late}
    checks = [made[place] for place in sorted(made)]
    left = [step.name for step in drill.steps if step.name not in fact.done]
    if fact.stuck or left:
        checks.insert(0, Check(ok=False, says=f"every step is done: {fact.stuck or left[0]}"))
    return [*checks, Check(ok=not ending, says="engines stop in order" + (f": {ending}" if ending else ""))]


def moves(home: Path, account: str) -> Iterator[tuple[int, int, Transition]]:
    """(wall ms, sequence, transition) of the whole journal."""
    path = Home(home).journal(account)
    if not path.is_file():
        return
    with JournalReader(path) as reader:
        for row in reader.rows(0, 1 << 62):
            for each in codec.records_of(codec.decode_row(row.body)):
                if isinstance(each, Transition):
                    yield row.wall_ms, row.seq, each


def _early(that: str) -> bool:
    return that in ("alive", "loopback_only", "ends_in", "never", "nothing_rests")


def _stop(fact: Fact) -> str:
    """Only engines this drill started. Empty when all went well."""
    for engine in fact.engines:
        if engine.process.poll() is None:
            try:
                engine.stop()
            except (BenchFailed, TimeoutError, ValueError) as failed:
                return str(failed)[:200]
    return ""


def _state(fact: Fact, args: Mapping[str, Any]) -> Check:
    since = fact.at_ms(args["since"])
    wanted = args["enters"] + (f" by {args['reason']}" if args["reason"] else "")
    for at, _, move in moves(fact.home, fact.account):
        if at >= since and move.to_state == args["enters"] and args["reason"] in ("", move.reason):
            took_s = (at - since) / 1_000
            return Check(
                ok=took_s <= args["within_s"],
                says=f"enters {wanted}: after {took_s:g} s, allowed {args['within_s']:g} s",
            )
    return Check(ok=False, says=f"enters {wanted}: never")


def _never(fact: Fact, args: Mapping[str, Any]) -> Check:
    since = fact.at_ms(args["since"])
    seen = [
        f"{m.to_state} by {m.reason}"
        for at, _, m in moves(fact.home, fact.account)
        if at >= since and m.to_state in args["enters"]
    ]
    return Check(
        ok=not seen, says=f"never enters {', '.join(args['enters'])}" + (f": it did, {seen[0]}" if seen else "")
    )


def _ends_in(fact: Fact, args: Mapping[str, Any]) -> Check:
    seen = [move.to_state.value for _, _, move in moves(fact.home, fact.account)]
    last = seen[-1] if seen else "INIT"
    return Check(ok=last in args["states"], says=f"ends in {' or '.join(args['states'])}: it is {last}")


def _books(fact: Fact, _: Mapping[str, Any]) -> Check:
    if fact.bench is None:
        return Check(ok=True, says="books are not compared while an engine runs that is not ours to stop")
    found = differences(fact.bench)
    return Check(ok=not found, says="journal and oracle tell one story" + (f": {found[0]}" if found else ""))


def _no_increase(fact: Fact, args: Mapping[str, Any]) -> Check:
    assert fact.bench is not None
    since = fact.at_ms(args["since"]) + int(args["grace_s"] * 1_000)
    until = _cue_ms(fact, args["until"], since) if args["until"] else 1 << 62
    ahead_ms = int(fact.bench.truth()["now_ms"]) - int(time.time() * 1_000)
    raised = increases(fact.bench, fact.bench.requests(0))
    late = [each for each in raised if since <= each["at_ms"] - ahead_ms < until]
    says = f"nothing that raises risk arrives from {args['since']} + {args['grace_s']:g} s on: {len(late)} requests did"
    return Check(ok=not late, says=says)


def _cue_ms(fact: Fact, name: str, since: int) -> int:
    """When a step was done; of one that waited for a state alone: when it was entered since then, not when seen."""
    at_ms = fact.at_ms(name)
    step = next((each for each in fact.drill.steps if each.name == name), None)
    if step is None or step.after is None or step.after.kind != "state" or step.plus_ms or step.at_ms is not None:
        return at_ms
    states = [(at, move.to_state.value) for at, _, move in moves(fact.home, fact.account) if at > since]
    return entered_ms(states, step.after.value, at_ms)


def entered_ms(states: Sequence[tuple[int, str]], state: str, by_ms: int) -> int:
    """The last time a state was entered by then, with room for two clocks; an engine quotes in the same step."""
    entered = [at - CLOCKS_MS for at, name in states if name == state and at <= by_ms]
    return entered[-1] if entered else by_ms


def _nothing_rests(fact: Fact, _: Mapping[str, Any]) -> Check:
    mine = [each for each in fact.venue.truth()["orders"] if each["account"] == fact.venue.account]
    resting = [each["clientOrderId"] for each in mine if each["status"] in ("NEW", "PARTIALLY_FILLED")]
    return Check(ok=not resting, says=f"no order rests at the venue: {len(resting)} do")


def _flat(fact: Fact, _: Mapping[str, Any]) -> Check:
    held = fact.venue.truth()["accounts"][fact.venue.account]["positions"]
    lots = {name: int(each["lots"]) for name, each in held.items() if int(each["lots"])}
    return Check(ok=not lots, says=f"by the oracle the position is zero: {lots or 'it is'}")


def _ahead_ms(fact: Fact) -> int:
    """The venue's clock minus ours."""
    return int(fact.venue.summary()["now_ms"]) - int(time.time() * 1_000)


def _fills(fact: Fact, args: Mapping[str, Any]) -> Check:
    since = fact.at_ms(args["since"]) + _ahead_ms(fact)
    mine = [each for each in fact.venue.truth()["fills"] if each["account"] == fact.venue.account]
    found = [each for each in mine if int(each["time"]) >= since]
    return Check(
        ok=len(found) >= args["least"],
        says=f"own orders fill after {args['since']}, at least {args['least']}: {len(found)}",
    )


def _connects(fact: Fact, args: Mapping[str, Any]) -> Check:
    since = fact.at_ms(args["since"]) + _ahead_ms(fact)
    opened = [at for at, _ in fact.venue.summary()["sockets_opened"] if since <= at < since + args["for_s"] * 1_000]
    says = f"stream sockets opened within {args['for_s']:g} s, at least {args['least']} and at most {args['most']}"
    return Check(ok=args["least"] <= len(opened) <= args["most"], says=f"{says}: {len(opened)}")


def _asks(fact: Fact, args: Mapping[str, Any]) -> Check:
    since = fact.at_ms(args["since"]) + _ahead_ms(fact)
    found = [
        each
        for each in fact.venue.requests(0)
        if each["at_ms"] >= since and each["method"] == args["method"] and args["path"] in each["path"]
    ]
    says = f"{args['method']} {args['path']} is asked, at least {args['least']} times: {len(found)}"
    return Check(ok=len(found) >= args["least"], says=says)


def _asks_only(fact: Fact, args: Mapping[str, Any]) -> Check:
    since = fact.at_ms(args["since"]) + _ahead_ms(fact)
    asked = [each["path"] for each in fact.venue.requests(0) if each["at_ms"] >= since]
    wrong = sorted({path for path in asked if not path.startswith(args["path"])})
    says = f"{len(asked)} requests go to {args['path']} alone" + (f": {wrong[0]} was asked" if wrong else "")
    return Check(ok=bool(asked) and not wrong, says=says)


def _exits(fact: Fact, args: Mapping[str, Any]) -> Check:
    code = fact.engine(args["engine"]).process.poll()
    return Check(ok=code == args["code"], says=f"engine {args['engine']} ends with {args['code']}: {code}")


def _alive(fact: Fact, args: Mapping[str, Any]) -> Check:
    code = fact.engine(args["engine"]).process.poll()
    return Check(
        ok=code is None, says=f"engine {args['engine']} runs: {'yes' if code is None else f'ended with {code}'}"
    )


def _engine_says(fact: Fact, args: Mapping[str, Any]) -> Check:
    return Check(
        ok=args["text"] in fact.engine(args["engine"]).errors(), says=f"engine {args['engine']} says {args['text']!r}"
    )


def _loopback_only(fact: Fact, _: Mapping[str, Any]) -> Check:
    wrong = [each for engine in fact.engines if engine.process.poll() is None for each in _open_ports(engine.pid)]
    path = Home(fact.home).control_socket(fact.account)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0
    if mode & 0o077:
        wrong.append(f"{path.name} has mode {mode:o}")
    looked = bool(mode) and any(_listening(engine.pid) for engine in fact.engines)
    return Check(
        ok=looked and not wrong,
        says="it listens for this machine and its owner alone" + (f": {wrong[0]}" if wrong else ""),
    )


def _open_ports(pid: int) -> list[str]:
    return [f"port {int(port, 16)} of {host}" for host, port in _listening(pid) if host not in _LOOPBACK]


def _listening(pid: int) -> list[tuple[str, str]]:
    """(address, port) in hexadecimal of each listening socket of a process, as the kernel tells it."""
    mine = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            mine.add(os.readlink(handle))
        except OSError:
            continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == _LISTENS and f"socket:[{words[9]}]" in mine:
                host, port = words[1].split(":")
                found.append((host, port))
    return found


def _answer(fact: Fact, args: Mapping[str, Any]) -> Check:
    got = fact.answers.get(args["step"], [])
    wrong = [each[:80] for each in got if args["holds"] not in each or (args["lacks"] and args["lacks"] in each)]
    says = f"{len(got)} strangers are answered with {args['holds']!r}"
    return Check(ok=bool(got) and not wrong, says=says + (f": {wrong[0]!r}" if wrong else ""))


_JUDGES: Mapping[str, Callable[[Fact, Mapping[str, Any]], Check]] = {
    "state": _state,
    "never": _never,
    "ends_in": _ends_in,
    "books_equal": _books,
    "no_increase": _no_increase,
    "nothing_rests": _nothing_rests,
    "flat": _flat,
    "fills": _fills,
    "connects": _connects,
    "asks": _asks,
    "asks_only": _asks_only,
    "exits": _exits,
    "alive": _alive,
    "engine_says": _engine_says,
    "loopback_only": _loopback_only,
    "answer": _answer,
}
assert _JUDGES.keys() == WIRE_EXPECTS.keys()
