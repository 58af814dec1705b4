"""What a drill proved: each expectation held against the tape, in words an operator reads.

One function per expectation of the catalogue. It sees journal rows, requests that left and the venue's truth; never the
engine's memory.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from gridops.domain.effects import Answer, Finish, WriteBundle
from gridops.domain.records import (
    Booked,
    Decided,
    Filled,
    MismatchSeen,
    Note,
    OutboxRefused,
    Remedied,
    Sent,
    TripClosed,
)
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmState, OpKind
from gridops.sim.drill_cases import judge_cases
from gridops.sim.drill_fault_verdict import FAULT_JUDGES
from gridops.sim.drill_rows import rows_walked
from gridops.sim.drill_spec import Cue, Drill, Expect, parse_cue
from gridops.sim.drill_tape import Leg, Tape
from gridops.sim.drill_words import EXPECTS
from gridops.sim.fault_day import Asked

UNATTRIBUTED = "unattributed"
OPENING = (FsmState.ACTIVE, FsmState.THROTTLED)


@record
class Check:
    """One expectation's verdict."""

    ok: bool
    says: str


@record
class Scene:
    """What an expectation is held against."""

    drill: Drill
    tape: Tape
    done: Mapping[str, int]
    """Step name -> ms."""
    cap_units: int
    books: str
    """What differs at the end; empty when equal."""
    end_ms: int
    amend_legs: Counter[Leg]
    """Amends that left the process."""
    named: Mapping[str, int]
    """Requests that left, by the symbol they name."""
    asked: Sequence[Asked]
    """Every request that left."""
    refused: Sequence[Asked]
    """Order requests the venue itself refused."""
    income: tuple[Mapping[str, str], ...]
    """The account's income rows by the venue, as its API shows them."""
    start_ms: int
    """The engine's first start, on the venue's clock."""

    def fault_ms(self) -> int:
        """When the drill's fault struck: the step called `fault`, else the first that is not only a mark."""
        named = [step.name for step in self.drill.steps if step.name == "fault"]
        named += [step.name for step in self.drill.steps if step.do != "mark"]
        return self.done.get(named[0], 0) if named else 0

    def anchor_ms(self, text: str) -> int | None:
        """The moment a name or a cue stands for; None when it never came."""
        if text == "start":
            return 0
        if text in self.done:
            return self.done[text]
        if text == "fault":
            return self.fault_ms()
        if text in {step.name for step in self.drill.steps}:
            return None
        return self._cue_ms(parse_cue(text))

    def until_ms(self, text: str) -> int:
        found = self.anchor_ms(text) if text else None
        return self.end_ms if found is None else found

    def _cue_ms(self, cue: Cue) -> int | None:
        since_ms, tape = self.fault_ms(), self.tape
        match cue.kind:
            case "state":
                return _first(at for at, each in tape.transitions(since_ms) if each.to_state == cue.value)
            case "level":
                opens = cue.edge == "opens"
                return _first(at for at, e in tape.edges(since_ms) if e.reason == cue.value and e.open is opens)
            case "flat":
                return _first(p.at_ms for p in tape.points if p.at_ms >= since_ms and p.position == 0)
            case "holding":
                return _first(p.at_ms for p in tape.points if p.at_ms >= since_ms and p.position != 0)
            case "resting":
                return _first(p.at_ms for p in tape.points if p.at_ms >= since_ms and p.risk_rests)
            case "quoted":
                return _first(each.at_ms for each in tape.raised if each.at_ms >= since_ms)
        return _first(at for at, _ in tape.of(Finish, since_ms))


def judge(scene: Scene) -> list[Check]:
    """Every expectation, in the order of the drill."""
    return [_check(scene, each) for each in scene.drill.expects]


def detect_ms(scene: Scene) -> int | None:
    """From the fault to the first condition that opened or move that followed; None when nothing did."""
    fault = scene.fault_ms()
    seen = [at for at, edge in scene.tape.edges(fault) if edge.open] + [at for at, _ in scene.tape.transitions(fault)]
    return min(seen) - fault if seen else None


def safe_ms(scene: Scene) -> int | None:
    """From the fault until nothing that raises risk rests at the venue any more, and nothing did until quoting resumed.

    None when the fault led into no state that forbids risk, or when some rested all the while.
    """
    fault = scene.fault_ms()
    closing = _first(at for at, move in scene.tape.transitions(fault) if move.to_state not in OPENING)
    if closing is None:
        return None
    again = _first(at for at, move in scene.tape.transitions(closing) if move.to_state in OPENING)
    until = scene.end_ms if again is None else again
    safe = None if scene.tape.point_at(fault).risk_rests else 0
    for point in scene.tape.points:
        if fault <= point.at_ms < until:
            safe = None if point.risk_rests else point.at_ms - fault if safe is None else safe
    return safe


def worst_units(scene: Scene) -> int:
    """The venue's largest worst case."""
    return max((point.worst_units for point in scene.tape.points), default=0)


def _quiet_since(scene: Scene, since_ms: int, until_ms: int, fault_ms: int) -> int | None:
    """When, within a span, the last own order that raises risk was gone; since the fault."""
    if not scene.tape.point_at(since_ms).risk_rests:
        return since_ms - fault_ms
    gone = [p.at_ms for p in scene.tape.points if since_ms <= p.at_ms < until_ms and not p.risk_rests]
    return gone[0] - fault_ms if gone else None


def _check(scene: Scene, expect: Expect) -> Check:
    since = expect.args.get("since")
    anchor = scene.anchor_ms(since) if isinstance(since, str) else 0
    if anchor is None:
        return Check(ok=False, says=f"{EXPECTS[expect.that].says}: `{since}` never came")
    if expect.that in FAULT_JUDGES:
        held, says = FAULT_JUDGES[expect.that](scene, anchor, expect.args)
        return Check(ok=held, says=says)
    return _JUDGES[expect.that](scene, anchor, expect.args)


def _state(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    wanted = args["enters"] + (f" by {args['reason'] or args['event']}" if args["reason"] or args["event"] else "")
    for at, move in scene.tape.transitions(since):
        if move.to_state != args["enters"] or (args["reason"] and move.reason != args["reason"]):
            continue
        if args["event"] and move.event != args["event"]:
            continue
        return _timed(f"enters {wanted}", at - since, args)
    return Check(ok=False, says=f"enters {wanted}: never; after it came {_path(scene, since) or 'no transition'}")


def _never(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    until = scene.until_ms(args["until"])
    seen = [(at, move) for at, move in scene.tape.transitions(since) if move.to_state in args["enters"] and at <= until]
    if not seen:
        return Check(ok=True, says=f"never enters {', '.join(args['enters'])}")
    at, move = seen[0]
    return Check(ok=False, says=f"never enters {move.to_state}: it did {_s(at - since)} later, by {move.reason}")


def _ends_in(scene: Scene, _: int, args: Mapping[str, Any]) -> Check:
    moves = scene.tape.transitions()
    last = moves[-1][1].to_state.value if moves else FsmState.INIT.value
    return Check(ok=last in args["states"], says=f"ends in {' or '.join(args['states'])}: it is {last}")


def _path_is(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    seen = tuple(move.to_state.value for _, move in scene.tape.transitions(since))
    wanted = " > ".join(args["states"])
    shown = " > ".join(seen) or "nothing"
    return Check(
        ok=seen == args["states"], says=f"goes {wanted}" + ("" if seen == args["states"] else f": it went {shown}")
    )


def _level(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    opens = args["edge"] == "opens"
    for at, edge in scene.tape.edges(since):
        if edge.reason == args["reason"] and edge.open is opens and args["scope"] in ("", edge.scope):
            return _timed(f"{edge.reason} {args['edge']}", at - since, args, edge.detail)
    seen = ", ".join(sorted({e.reason.value for _, e in scene.tape.edges(since)})) or "none"
    return Check(ok=False, says=f"{args['reason']} {args['edge']}: never; conditions that changed: {seen}")


def _no_level(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    until = scene.until_ms(args["until"])
    for at, edge in scene.tape.edges(since):
        if edge.reason == args["reason"] and edge.open and at <= until:
            return Check(ok=False, says=f"{edge.reason} stays closed: it opened {_s(at - since)} later: {edge.detail}")
    return Check(ok=True, says=f"{args['reason']} stays closed")


def _no_increase(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    start, until = since + int(args["grace_s"] * 1_000), scene.until_ms(args["until"])
    late = [each for each in scene.tape.raised if start < each.at_ms < until]
    says = f"nothing that raises risk leaves from {_s(start - since)} after {args['since']} on"
    if late:
        return Check(ok=False, says=f"{says}: {len(late)} requests did, the first {_s(late[0].at_ms - since)} after")
    return Check(ok=True, says=says)


def _no_increase_rests(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    found = _quiet_since(scene, since, scene.end_ms, since)
    says = "no own order that raises risk rests at the venue"
    return Check(ok=False, says=f"{says}: some always did") if found is None else _timed(says, found, args)


def _flat(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    if scene.tape.point_at(since).position == 0:
        return Check(ok=True, says="the venue's position is zero already")
    at = _first(p.at_ms for p in scene.tape.points if p.at_ms >= since and p.position == 0)
    if at is None:
        return Check(
            ok=False, says=f"the venue's position is zero: {scene.tape.point_at(scene.end_ms).position} lots stay"
        )
    return _timed("the venue's position is zero", at - since, args)


def _holding(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    lots = scene.tape.point_at(since).position
    return Check(ok=lots != 0, says=f"a position is open at {args['since']}: {lots} lots")


def _books(scene: Scene, _: int, __: Mapping[str, Any]) -> Check:
    says = "position, orders, fills and wallet equal the venue's"
    return Check(ok=not scene.books, says=says + (f": {scene.books}" if scene.books else ""))


def _within_cap(scene: Scene, _: int, args: Mapping[str, Any]) -> Check:
    worst, cap = worst_units(scene), scene.cap_units
    share = Decimal(worst * 100) / cap if cap else Decimal(0)
    says = f"the venue's worst case stays within {args['pct']:g} % of the cap: at most {share:.1f} %"
    return Check(ok=share <= args["pct"], says=says)


def _mismatch(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    for at, seen in scene.tape.of(MismatchSeen, since):
        if seen.kind == args["kind"] and not seen.closed and (seen.confirmed or not args["confirmed"]):
            return _timed(f"{seen.kind} is seen", at - since, args, f"ours {seen.local}, the venue's {seen.venue}")
    return Check(ok=False, says=f"{args['kind']} is seen: never")


def _note(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    for at, note in scene.tape.of(Note, since):
        if note.topic == args["topic"]:
            return _timed(f"{note.topic} is noted", at - since, args, note.detail)
    return Check(ok=False, says=f"{args['topic']} is noted: never")


def _answer(scene: Scene, _: int, args: Mapping[str, Any]) -> Check:
    asked = scene.done.get(args["step"])
    word = "accepted" if args["accepted"] else "refused"
    for at, answer in scene.tape.of(Answer):
        if answer.request_id == args["step"] and asked is not None and at >= asked:
            if answer.accepted is not args["accepted"]:
                return Check(ok=False, says=f"{args['step']} is {word}: it was not: {answer.detail}")
            return _timed(f"{args['step']} is {word}", at - asked, args, answer.detail)
    return Check(ok=False, says=f"{args['step']} is {word}: no answer")


def _booked(scene: Scene, _: int, args: Mapping[str, Any]) -> Check:
    """Rows of a kind the venue has are compared with the venue's; an unattributed entry has none there."""
    kind = args["kind"]
    ours = Counter((b.tran_id, b.asset, b.amount) for _, b in scene.tape.of(Booked) if b.kind == kind)
    theirs = Counter(
        (str(row["tranId"]), row["asset"], Decimal(row["income"]))
        for row in scene.income
        if row["incomeType"].lower() == kind and int(row["time"]) >= scene.start_ms
    )
    says = f"at least {args['least']} rows of {kind} are booked: {ours.total()}"
    if kind != UNATTRIBUTED and ours != theirs:
        return Check(
            ok=False,
            says=f"{says}; the venue has {theirs.total()}, apart: {sorted((ours - theirs) + (theirs - ours))[:2]}",
        )
    return Check(ok=ours.total() >= args["least"], says=says)


def _remedied(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    for at, done in scene.tape.of(Remedied, since):
        if done.remedy == args["remedy"] and done.outcome == "applied":
            return _timed(f"{done.remedy} is carried out", at - since, args, done.detail)
    return Check(ok=False, says=f"{args['remedy']} is carried out: never")


def _trips(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    trips = [trip for _, trip in scene.tape.of(TripClosed, since) if trip.entry_ms < scene.start_ms + since]
    says = f"at least {args['least']} trips that were open at {args['since']} are closed later: {len(trips)}"
    return Check(ok=len(trips) >= args["least"], says=says)


def _fills(scene: Scene, _: int, args: Mapping[str, Any]) -> Check:
    count = sum(1 for _ in scene.tape.of(Filled))
    return Check(ok=count >= args["least"], says=f"at least {args['least']} fills are booked: {count}")


def _ended(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    for at, finish in scene.tape.of(Finish, since):
        if finish.clean is not args["clean"]:
            return Check(
                ok=False, says=f"the run ends: {finish.outcome}, resting {', '.join(finish.resting) or 'none'}"
            )
        return _timed("the run ends", at - since, args, finish.outcome)
    return Check(ok=False, says="the run ends: it went on")


def _bundle(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    for at, order in scene.tape.of(WriteBundle, since):
        if order.mode == args["mode"]:
            return _timed(f"a {order.mode} bundle is ordered", at - since, args, order.reason)
    return Check(ok=False, says=f"a {args['mode']} bundle is ordered: never")


def _every_row(scene: Scene, _: int, __: Mapping[str, Any]) -> Check:
    rows = rows_walked(scene.tape.said)
    count = f"{len(rows.walked)} of {rows.rows} rows walked, {len(rows.unreachable)} out of reach"
    missed = f"; missed: {', '.join(rows.missed)}" if rows.missed else ""
    return Check(ok=not rows.missed, says=f"every row that inputs can reach is walked: {count}{missed}")


def _decisions(scene: Scene, since: int, args: Mapping[str, Any]) -> Check:
    until = scene.until_ms(args["until"])
    made = [each.choice for at, each in scene.tape.of(Decided, since) if at <= until]
    found = [each for each in made if each.decision == args["decision"] and args["reason"] in ("", each.reason)]
    wanted = args["decision"] + (f" by {args['reason']}" if args["reason"] else "")
    least, most = args["least"], args["most"]
    limits = f"at least {least}" + (f" and at most {most}" if most >= 0 else "")
    ok = len(found) >= least and (most < 0 or len(found) <= most)
    seen = ", ".join(sorted({f"{each.decision} by {each.reason}" for each in made})) or "none"
    return Check(ok=ok, says=f"{wanted} is decided {limits} times: {len(found)}" + ("" if ok else f"; decided: {seen}"))


def _amends_exact(scene: Scene, _: int, args: Mapping[str, Any]) -> Check:
    kept = {each.op_id for _, each in scene.tape.of(OutboxRefused)}
    sent = (each for _, each in scene.tape.of(Sent) if each.kind is OpKind.AMEND and each.op_id not in kept)
    planned = Counter((each.client_id, each.price_ticks, each.lots) for each in sent)
    left, missing = scene.amend_legs - planned, planned - scene.amend_legs
    says = f"the amends at the venue are those planned: {scene.amend_legs.total()} for {planned.total()}"
    if left or missing:
        return Check(ok=False, says=f"{says}; unplanned {sorted(left)[:3]}, not sent {sorted(missing)[:3]}")
    return Check(ok=planned.total() >= args["least"], says=f"{says}, at least {args['least']}")


def _requests(scene: Scene, _: int, args: Mapping[str, Any]) -> Check:
    count = scene.named.get(args["symbol"], 0)
    says = f"at most {args['most']} requests name {args['symbol']}: {count}, of {sum(scene.named.values())}"
    return Check(ok=count <= args["most"], says=says)


def _router_cases(_: Scene, __: int, args: Mapping[str, Any]) -> Check:
    judged = judge_cases(frozenset(args["reasons"]))
    return Check(ok=judged.ok and judged.cases >= args["least"], says=judged.says)


_JUDGES: Mapping[str, Callable[[Scene, int, Mapping[str, Any]], Check]] = {
    "state": _state,
    "never": _never,
    "ends_in": _ends_in,
    "path": _path_is,
    "level": _level,
    "no_level": _no_level,
    "no_increase": _no_increase,
    "no_increase_rests": _no_increase_rests,
    "flat": _flat,
    "holding": _holding,
    "books_equal": _books,
    "exposure_within_cap": _within_cap,
    "mismatch": _mismatch,
    "note": _note,
    "answer": _answer,
    "booked": _booked,
    "remedied": _remedied,
    "trips": _trips,
    "fills": _fills,
    "ended": _ended,
    "every_row": _every_row,
    "bundle": _bundle,
    "decisions": _decisions,
    "amends_exact": _amends_exact,
    "requests": _requests,
    "router_cases": _router_cases,
}
assert _JUDGES.keys() | FAULT_JUDGES.keys() == EXPECTS.keys()


def _timed(says: str, took_ms: int, args: Mapping[str, Any], detail: str = "") -> Check:
    limit = int(args["within_s"] * 1_000)
    told = f"{says}: after {_s(took_ms)}, allowed {_s(limit)}" + (f" ({detail})" if detail else "")
    return Check(ok=took_ms <= limit, says=told)


def _path(scene: Scene, since: int) -> str:
    return " > ".join(move.to_state.value for _, move in scene.tape.transitions(since))


def _first(times: Any) -> int | None:
    return next(iter(times), None)


def _s(ms: int) -> str:
    return f"{ms / 1_000:g} s"
