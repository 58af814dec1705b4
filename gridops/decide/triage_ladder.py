"""The diagnosis ladder: questions from "is the process alive" to "would this price ever be reached", first cause first.

A pure function of a frozen snapshot: same snapshot, same answers. What stands higher explains what stands lower, so the
first finding is where to begin. Unknown and skipped are answers of their own and are never taken for ok.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum

from gridops.decide.triage_answers import advice
from gridops.decide.triage_facts import JournalSeen, LevelHeld, Process, Snapshot, SymbolSeen
from gridops.domain.values import record
from gridops.domain.vocabulary import FsmReason, FsmState

R = FsmReason
STEP_AGE_MS = 10_000
"""An engine that answers and took no input for so long does not step."""
BOOT_MS = 60_000
REACH_MINUTES = 1_440
"""An order that a day of the market's own movement would not reach is not going to trade."""


class Answer(StrEnum):
    OK = "ok"
    FINDING = "finding"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@record
class Rung:
    """One question with its answer. `since_ms` 0 = no moment is known; `setting` and `command` may be empty."""

    question: str
    asks: str
    answer: Answer
    reason: str
    since_ms: int
    detail: str
    setting: str
    runbook: str
    command: str


@record
class Said:
    """An answer before it is dressed for the page."""

    answer: Answer
    reason: str = ""
    detail: str = ""
    since_ms: int = 0


_OK = Said(answer=Answer.OK)
_LATCHED = frozenset(
    {R.KILL_SWITCH, R.DRAWDOWN, R.OPERATOR_PAUSE, R.DISARMED, R.DAILY_DRAWDOWN, R.ENVIRONMENT_CHANGED, R.FOREIGN_WRITER}
)
"""What outlives the process: true of a dead engine too."""
_BOOTING = frozenset(
    {
        R.CLOCK_SKEW, R.MODE_CHANGED, R.FILTERS_STALE, R.USER_STREAM_LOST, R.FEED_STALE, R.BOOK_INVALID,
        R.FEEDS_NOT_READY, R.SYNC_FAILING,
    }
)  # fmt: skip
"""Open because nothing was read yet; within the first minute that is no cause."""

GROUPS: dict[str, tuple[FsmReason, ...]] = {
    "stores": (R.DISK_LOW, R.JOURNAL_FAILED, R.EVIDENCE_FAILED),
    "emergency": (R.KILL_SWITCH, R.DRAWDOWN, R.MARGIN_CRITICAL, R.EXPOSURE_CAP),
    "stop": (R.OPERATOR_STOP, R.SIGNAL, R.MARKET_ENDED),
    "authority": (R.LEASE_LOST, R.FOREIGN_WRITER, R.ENVIRONMENT_CHANGED, R.AUTH_REJECTED),
    "machine": (R.RESUMED, R.LOOP_LAG),
    "venue": (R.RATE_BANNED, R.VENUE_DOWN, R.MAINTENANCE),
    "account": (R.MODE_CHANGED, R.CLOCK_SKEW, R.INVARIANT_BROKEN),
    "feeds": (R.USER_STREAM_LOST, R.FEED_STALE, R.BOOK_INVALID, R.FILTERS_STALE, R.FEEDS_NOT_READY),
    "truth": (R.DEADMAN_PRESUMED_FIRED, R.ORDERS_UNKNOWN, R.POSITION_MISMATCH, R.SYNC_FAILING),
    "pause": (R.OPERATOR_PAUSE,),
    "armed": (R.DISARMED, R.FOLLOWER),
    "risk": (R.DAILY_DRAWDOWN, R.EXPOSURE_HIGH, R.LOSS_STREAK, R.TOXICITY_HIGH, R.OUT_OF_RANGE),
    "throttle": (R.RATE_BUDGET_LOW, R.TOXICITY_MID),
    "boot": (R.BOOT_STUCK,),
}
"""Every condition stands in exactly one question."""

ASKS: dict[str, str] = {
    "process": "is the process alive and stepping",
    "journal": "can the journal be read",
    "stores": "do disk, journal and evidence take what is written",
    "emergency": "is the account out of an emergency",
    "stop": "was it not told to stop",
    "authority": "is the account ours: lease, key, environment",
    "machine": "does this machine run it in time",
    "venue": "does the venue serve us",
    "account": "are account modes, clock and books as they must be",
    "feeds": "do market and private data arrive",
    "truth": "do our books agree with the venue's",
    "pause": "did nobody pause it",
    "armed": "is it armed and the leader",
    "risk": "do risk and range allow new exposure",
    "throttle": "does it quote at full rate",
    "boot": "has it come up to ACTIVE",
    "plan": "does the plan want any order",
    "gates": "do the gates let increases pass",
    "refusals": "does the venue take the orders",
    "orders": "do own orders rest at the venue",
    "price": "would these prices ever be reached",
    "config": "would it start again: settings and keys",
}
"""The ladder, in order."""


def climb(snapshot: Snapshot) -> tuple[Rung, ...]:
    """Every question, in order, answered."""
    return tuple(_rung(snapshot, name) for name in ASKS)


def first_finding(rungs: Sequence[Rung]) -> Rung | None:
    """The first cause; None when nothing was found."""
    return next((each for each in rungs if each.answer is Answer.FINDING), None)


def confirming(rungs: Sequence[Rung]) -> Rung | None:
    """The first question that cannot be answered yet."""
    return next((each for each in rungs if each.answer is Answer.UNKNOWN), None)


def _rung(snapshot: Snapshot, name: str) -> Rung:
    said = _ANSWERS[name](snapshot, name)
    told = advice(name, said.reason, snapshot.process.value) if said.answer is Answer.FINDING else ("", "", "")
    return Rung(
        question=name,
        asks=ASKS[name],
        answer=said.answer,
        reason=said.reason,
        since_ms=said.since_ms,
        detail=said.detail,
        setting=told[0],
        runbook=told[1],
        command=told[2],
    )


def _process(snapshot: Snapshot, _: str) -> Said:
    if snapshot.process is not Process.LIVE:
        since = 0 if snapshot.process is Process.ABSENT else snapshot.as_of_ms
        return _found(snapshot.process.value, snapshot.process_detail, since)
    age = snapshot.input_age_ms
    if age is None:
        return _unknown("confirming", "it answers and does not say how old its newest input is")
    if age >= STEP_AGE_MS:
        return _found("not_stepping", f"it answers, but its newest input is {age} ms old", snapshot.now_ms - age)
    return Said(answer=Answer.OK, detail=snapshot.process_detail)


def _journal(snapshot: Snapshot, _: str) -> Said:
    seen = snapshot.journal
    if seen is JournalSeen.OK:
        return _OK
    if seen is JournalSeen.ABSENT and snapshot.process is Process.ABSENT:
        return _skipped("never_ran", "there is none yet")
    return _found(seen.value, snapshot.journal_detail)


def _stores(snapshot: Snapshot, name: str) -> Said:
    free = snapshot.disk_free_bytes
    if free is not None and free < snapshot.disk_needed_bytes:
        held = _held(snapshot, (R.DISK_LOW,))
        detail = f"{free} bytes free at {snapshot.home}, needed {snapshot.disk_needed_bytes}"
        return _found(R.DISK_LOW.value, detail, held.since_ms if held else 0)
    said = _group(snapshot, name)
    if said.answer is Answer.FINDING:
        return said
    if snapshot.evidence_writable is False:
        return _found(R.EVIDENCE_FAILED.value, "the evidence root cannot be written")
    return _unknown("not_read", "free space is not known") if free is None else said


def _config(snapshot: Snapshot, _: str) -> Said:
    if snapshot.config_error:
        return _found("config_refused", snapshot.config_error)
    if snapshot.keys.startswith("missing"):
        return _found("keys_missing", snapshot.keys)
    return _OK if snapshot.keys else _unknown("not_read", "nothing is known of the keys")


def _emergency(snapshot: Snapshot, name: str) -> Said:
    held = _held(snapshot, GROUPS[name])
    if snapshot.kill_latch and (held is None or held.reason is R.KILL_SWITCH):
        return _found(R.KILL_SWITCH.value, f"latched by {snapshot.kill_latch}", held.since_ms if held else 0)
    said = _group(snapshot, name)
    if said.answer is not Answer.FINDING and snapshot.state is FsmState.EMERGENCY:
        return _found("emergency_latched", f"EMERGENCY by {snapshot.last_reason}; waits for an ack", snapshot.since_ms)
    return said


def _truth(snapshot: Snapshot, name: str) -> Said:
    said = _group(snapshot, name)
    if said.answer is not Answer.OK:
        return said
    if snapshot.doubts is None:
        return _unknown("not_read", "the books could not be read")
    grave = [each for each in snapshot.doubts if each.severity != "info"]
    for each in grave:
        if each.confirmed:
            return _found(each.kind, f"{each.symbol} {each.key}: ours {each.local}, venue {each.venue}", each.since_ms)
    for each in grave:
        return _unknown("confirming", f"{each.kind} {each.symbol} {each.key}: waits for a second read", each.since_ms)
    return _OK


def _armed(snapshot: Snapshot, name: str) -> Said:
    said = _group(snapshot, name)
    if said.answer is Answer.OK and snapshot.armed is False:
        return _found(R.DISARMED.value, "the run was started without being armed")
    return said


def _boot(snapshot: Snapshot, name: str) -> Said:
    said = _group(snapshot, name)
    if said.answer is not Answer.OK:
        return said
    held_ms = snapshot.now_ms - snapshot.since_ms
    if snapshot.state in (FsmState.ACTIVE, FsmState.THROTTLED):
        return _OK
    if snapshot.state is None:
        return _unknown("no_state", "no lifecycle state is known")
    if snapshot.state is FsmState.INIT and held_ms >= BOOT_MS:
        return _found(R.BOOT_STUCK.value, f"in INIT for {held_ms} ms", snapshot.since_ms)
    detail = f"{snapshot.state} for {held_ms} ms by {snapshot.last_reason}"
    return _unknown("confirming", detail, snapshot.since_ms)


def _group(snapshot: Snapshot, name: str) -> Said:
    """The first open condition of this question, judged by how far its word still counts."""
    if snapshot.process is Process.ABSENT:
        return _skipped("never_ran", "the account never ran here")
    if snapshot.state is None:
        return _unknown("not_read", "open conditions are not known")
    held = _held(snapshot, GROUPS[name])
    if held is None:
        return _none_open(snapshot)
    told = f"{held.scope}: {held.detail}" if held.detail else held.scope
    if snapshot.process is Process.DEAD and held.reason not in _LATCHED:
        return _skipped("process_dead", f"{held.reason} was open at its end; {told}", held.since_ms)
    if snapshot.process is Process.HUNG and held.reason not in _LATCHED:
        return _unknown("process_hung", f"{held.reason} was open when it last spoke; {told}", held.since_ms)
    young = snapshot.now_ms - snapshot.since_ms < BOOT_MS
    if snapshot.state is FsmState.INIT and young and held.reason in _BOOTING:
        return _unknown("confirming", f"{held.reason} while it boots; {told}", held.since_ms)
    return _found(held.reason.value, told, held.since_ms)


def _none_open(snapshot: Snapshot) -> Said:
    if snapshot.process is Process.DEAD:
        return _skipped("process_dead", "nothing was open at its end")
    if snapshot.process is Process.HUNG:
        return _unknown("process_hung", "nothing was open when it last spoke")
    return _OK


def _held(snapshot: Snapshot, reasons: Sequence[FsmReason]) -> LevelHeld | None:
    """The open condition that stands first in `reasons`, the oldest of its kind."""
    for reason in reasons:
        found = [each for each in snapshot.levels if each.reason is reason]
        if found:
            return min(found, key=lambda each: (each.since_ms, each.scope))
    return None


def _quoting(judge: Callable[[SymbolSeen], Said]) -> Callable[[Snapshot, str], Said]:
    """A question about orders: asked only of an engine that quotes, the worst symbol answers."""

    def ask(snapshot: Snapshot, _: str) -> Said:
        if snapshot.process is not Process.LIVE or snapshot.state not in (FsmState.ACTIVE, FsmState.THROTTLED):
            return _skipped("not_quoting", f"{snapshot.process}, {snapshot.state or 'no state'}: it does not quote")
        if snapshot.symbols is None:
            return _unknown("not_read", "the books could not be read")
        if not snapshot.symbols:
            return _found("no_symbols", "grid.symbols is empty: nothing may be traded")
        answers = [judge(each) for each in snapshot.symbols]
        for wanted in (Answer.FINDING, Answer.UNKNOWN, Answer.OK):
            for said in answers:
                if said.answer is wanted:
                    return said
        return answers[0]

    return ask


def _plan(symbol: SymbolSeen) -> Said:
    if symbol.targets:
        return _OK
    return _found("no_targets", f"{symbol.symbol}: the plan wants no order")


def _gates(symbol: SymbolSeen) -> Said:
    if not symbol.blocked:
        return _OK
    gate = max(sorted(symbol.blocked), key=lambda name: symbol.blocked[name])
    count = symbol.blocked[gate]
    if symbol.working:
        return Said(answer=Answer.OK, detail=f"{symbol.symbol}: {gate} holds back {count} levels, others rest")
    return _found(f"gate_{gate}", f"{symbol.symbol}: {gate} refuses {count} of {symbol.targets} levels")


def _refusals(symbol: SymbolSeen) -> Said:
    lasting = [each for each in symbol.refusing if each.in_row >= 3]
    if not lasting:
        return _OK
    worst = max(lasting, key=lambda each: (each.in_row, each.level))
    return _found(
        "venue_refuses",
        f"{symbol.symbol}: {len(lasting)} levels, {worst.level} {worst.in_row} times in a row with {worst.number}",
    )


def _orders(symbol: SymbolSeen) -> Said:
    if symbol.working:
        return Said(answer=Answer.OK, detail=f"{symbol.symbol}: {symbol.working} rest")
    if not symbol.targets or symbol.blocked or symbol.refusing:
        return _skipped("explained", f"{symbol.symbol}: none rest, for a reason above")
    return _unknown("confirming", f"{symbol.symbol}: {symbol.targets} wanted, none rests yet")


def _price(symbol: SymbolSeen) -> Said:
    mid2 = symbol.bid_ticks + symbol.ask_ticks
    near = [abs(2 * each - mid2) for each in (symbol.buy_ticks, symbol.sell_ticks) if each]
    if not near:
        return _skipped("no_orders", f"{symbol.symbol}: none rests")
    if not symbol.bid_ticks or not symbol.ask_ticks or not symbol.minute_cbps:
        return _unknown("no_volatility", f"{symbol.symbol}: too few samples to say how far the price moves")
    distance = min(near) * 1_000_000 // mid2
    minutes = (distance * distance) // (symbol.minute_cbps * symbol.minute_cbps)
    told = f"{symbol.symbol}: nearest order {distance} cbps away, a minute moves {symbol.minute_cbps}"
    return _found("out_of_reach", told) if minutes > REACH_MINUTES else Said(answer=Answer.OK, detail=told)


def _found(reason: str, detail: str, since_ms: int = 0) -> Said:
    return Said(answer=Answer.FINDING, reason=reason, detail=detail, since_ms=since_ms)


def _unknown(reason: str, detail: str, since_ms: int = 0) -> Said:
    return Said(answer=Answer.UNKNOWN, reason=reason, detail=detail, since_ms=since_ms)


def _skipped(reason: str, detail: str, since_ms: int = 0) -> Said:
    return Said(answer=Answer.SKIPPED, reason=reason, detail=detail, since_ms=since_ms)


_ANSWERS: dict[str, Callable[[Snapshot, str], Said]] = {
    **dict.fromkeys(GROUPS, _group),
    "process": _process,
    "journal": _journal,
    "stores": _stores,
    "config": _config,
    "emergency": _emergency,
    "truth": _truth,
    "armed": _armed,
    "boot": _boot,
    "plan": _quoting(_plan),
    "gates": _quoting(_gates),
    "refusals": _quoting(_refusals),
    "orders": _quoting(_orders),
    "price": _quoting(_price),
}
