"""One page for the one who was woken: the first cause, the ladder, and everything needed to believe it.

Looks at process, journal, books, stores and evidence, and changes nothing but for the bundle of what it found. Every
part may be missing; what is missing is named and never taken for good.
"""

from collections.abc import Mapping
from decimal import Decimal

from gridops.decide import budget, deadman, drawdown, gates
from gridops.decide.triage_ladder import Answer, Rung, climb, confirming, first_finding
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.plan import Request, Verdict
from gridops.domain.values import record
from gridops.domain.vocabulary import Gate, Intent, OpKind, Side
from gridops.runtime import facts, gate_views
from gridops.runtime.state import EngineState, SymbolState
from gridops.usecases import triage_evidence, triage_recent, triage_wired
from gridops.usecases.command_evidence import Story, newest, write
from gridops.usecases.fsm_show import FsmReport
from gridops.usecases.place import Place
from gridops.usecases.triage_compare import VenueSaid
from gridops.usecases.triage_evidence import ModeEvidence
from gridops.usecases.triage_read import Gathered, gather
from gridops.usecases.triage_recent import Recent

STRESS_PCT = 5
"""The stress line asks what a move of this size against the worst case would cost."""
NO_STATE = "no_state"


@record
class GateLine:
    """One gate's verdict on an increase of one rung at the touch. `wired` names the test, empty = none has shown it."""

    gate: Gate
    allowed: bool
    detail: str
    wired: str


@record
class Figures:
    """One symbol's exposure; money in the settlement asset."""

    symbol: str
    position: Decimal
    venue_position: Decimal | None
    mark: Decimal
    worst_case: Decimal
    cap: Decimal
    stress_loss: Decimal
    """What STRESS_PCT against the worst case costs."""
    orders: int
    unknown: int
    deadman_armed: bool
    gates: tuple[GateLine, ...]


@record
class Budgets:
    """What may still be sent; `used_pct` of the budget that is nearest its end."""

    used_pct: int
    orders: int
    orders_reserve: int
    weight: int
    weight_reserve: int
    banned: bool
    drawdown_bps: int
    drawdown_limit_bps: int
    daily_bps: int
    daily_limit_bps: int


@record
class FsmFields:
    """The lifecycle as the process's own metrics have it."""

    state: str
    since: int
    last_reason: str
    last_detail: str
    evidence_ref: str


@record
class TriageReport:
    home: str
    home_source: str
    account: str
    process: str
    process_detail: str
    as_of_ms: int
    age_ms: int
    stale: bool
    figures_as_of_ms: int
    """When the books below were true: the newest row that the journal holds; 0 = they could not be read."""
    verdict: str
    """`ok`, `finding` or `unknown`."""
    first: Rung | None
    fsm: FsmFields
    armed: bool | None
    ladder: tuple[Rung, ...]
    figures: tuple[Figures, ...]
    budgets: Budgets | None
    equity: Decimal | None
    mismatches: tuple[dict[str, object], ...]
    decisions: dict[str, int]
    """Decision/reason -> count, of the whole journal."""
    recent: Recent | None
    newest: tuple[ModeEvidence, ...]
    evidence: EvidenceRef
    venue: VenueSaid | None = None
    """The venue's own history beside ours; None where it was not asked."""

    @property
    def found(self) -> bool:
        return self.verdict == Answer.FINDING

    @property
    def venue_in_doubt(self) -> bool:
        """Asked for, and it disagrees or was not heard: neither is fine."""
        return self.venue is not None and bool(self.venue.failure or self.venue.disagreements)


def execute(place: Place, environment: Mapping[str, str], since_s: float = 900.0, *, keep: bool = True) -> TriageReport:
    """Look once. With a finding a bundle is written when `keep` is set. Raises nothing for what it finds."""
    return report(place, gather(place, environment), since_s, keep=keep)


def report(place: Place, found: Gathered, since_s: float, *, keep: bool) -> TriageReport:
    """The page of what was gathered."""
    rungs, state, shown = climb(found.snapshot), found.journal.state, found.fsm
    first, unsure = first_finding(rungs), confirming(rungs)
    verdict = Answer.FINDING if first else Answer.UNKNOWN if unsure else Answer.OK
    transition = newest(place.evidence_root, EvidenceMode.TRANSITION, EvidenceMode.FSM)
    return TriageReport(
        home=shown.home,
        home_source=shown.home_source,
        account=shown.account,
        process=shown.process,
        process_detail=found.snapshot.process_detail,
        as_of_ms=shown.as_of_ms,
        age_ms=shown.age_ms,
        stale=shown.stale,
        figures_as_of_ms=0 if state is None else state.wall_ms,
        verdict=verdict.value,
        first=first or unsure,
        fsm=_fsm(shown, transition),
        armed=found.snapshot.armed,
        ladder=rungs,
        figures=() if state is None else tuple(_figures(state, each) for each in state.symbols.values()),
        budgets=None if state is None else _budgets(state),
        equity=None if state is None else _equity(state),
        mismatches=_mismatches(found),
        decisions={} if state is None else dict(sorted(state.counters.decisions.items())),
        recent=triage_recent.read(place.home.journal(place.account), found.snapshot.now_ms, since_s),
        newest=triage_evidence.newest(place.evidence_root),
        evidence=_kept(place, found, rungs, first) if first and keep else _pointed(place),
    )


def cause(found: Gathered) -> str:
    """The first finding as a word, to tell one look from the next; empty without one."""
    first = first_finding(climb(found.snapshot))
    return "" if first is None else f"{first.question}/{first.reason}"


def _fsm(shown: FsmReport, ref: EvidenceRef) -> FsmFields:
    return FsmFields(
        state=shown.state or NO_STATE,
        since=shown.since_ms,
        last_reason=shown.last_reason or "none",
        last_detail=shown.last_detail,
        evidence_ref=ref.evidence_dir or ref.reason,
    )


def _figures(state: EngineState, symbol: SymbolState) -> Figures:
    made, worst = symbol.instrument, facts.wce_units(symbol)
    worst_case = made.unit * worst
    memory = state.deadman.get(symbol.symbol)
    return Figures(
        symbol=symbol.symbol,
        position=made.quantity(symbol.position_lots),
        venue_position=made.quantity(symbol.venue_lots) if symbol.venue_lots_ms else None,
        mark=made.price(facts.mark_ticks(symbol)),
        worst_case=worst_case,
        cap=state.rules.risk.symbol_cap,
        stress_loss=worst_case * STRESS_PCT / 100,
        orders=len(symbol.orders),
        unknown=sum(1 for each in symbol.orders.values() if each.state == "UNKNOWN"),
        deadman_armed=memory is not None and deadman.armed(memory, state.now_ms, state.rules.deadman),
        gates=_chain(state, symbol),
    )


def _chain(state: EngineState, symbol: SymbolState) -> tuple[GateLine, ...]:
    """Every gate's word on the increase that the grid would ask for next: one rung, a spacing below the touch."""
    if not symbol.view.bid_ticks or symbol.symbol not in state.deadman:
        return ()
    price = max(1, symbol.view.bid_ticks - max(1, symbol.spacing_ticks))
    request = Request(
        kind=OpKind.PLACE,
        intent=Intent.INCREASE,
        symbol=symbol.symbol,
        side=Side.BUY,
        price_ticks=price,
        lots=max(1, symbol.rung_lots),
        reduce_only=False,
        level=-1,
        own_epoch=state.identity.epoch,
    )
    told = {each.gate: each for each in gates.check(request, gate_views.build(state, symbol))}
    return tuple(_line(gate, told.get(gate)) for gate in Gate)


def _line(gate: Gate, verdict: Verdict | None) -> GateLine:
    allowed = verdict is None or verdict.allowed
    detail = "not asked of an increase" if verdict is None else verdict.detail or triage_wired.behind(gate)
    return GateLine(gate=gate, allowed=allowed, detail=detail, wired=triage_wired.of_gate(gate))


def _budgets(state: EngineState) -> Budgets:
    room, risk = budget.room(state.budget, state.rules.budget, state.venue_ms), state.rules.risk
    return Budgets(
        used_pct=budget.used_pct(state.budget, state.rules.budget, state.venue_ms),
        orders=room.orders,
        orders_reserve=room.orders_reserve,
        weight=room.weight,
        weight_reserve=room.weight_reserve,
        banned=room.banned,
        drawdown_bps=drawdown.drawdown_bps(state.drawdown),
        drawdown_limit_bps=risk.max_drawdown_bps,
        daily_bps=drawdown.daily_bps(state.drawdown),
        daily_limit_bps=risk.daily_drawdown_bps,
    )


def _equity(state: EngineState) -> Decimal | None:
    return facts.equity(state) if state.symbols else None


def _mismatches(found: Gathered) -> tuple[dict[str, object], ...]:
    names = ("kind", "severity", "symbol", "key", "local", "venue", "since_ms", "confirmed")
    return tuple({name: getattr(each, name) for name in names} for each in found.snapshot.doubts or ())


def _kept(place: Place, found: Gathered, rungs: tuple[Rung, ...], first: Rung) -> EvidenceRef:
    """The bundle of a finding: the ladder as it stood."""
    lines = [f"{each.question:10} {each.answer:8} {each.reason} {each.detail}".rstrip() for each in rungs]
    story = Story(
        mode=EvidenceMode.TRIAGE,
        status=EvidenceStatus.FINDING,
        reason=first.reason,
        title=f"first cause: {first.asks}: {first.reason}",
        facts={
            "account": found.snapshot.account,
            "home": found.snapshot.home,
            "process": found.snapshot.process.value,
            "state": found.fsm.state,
            "question": first.question,
            "detail": first.detail,
            "since_ms": first.since_ms,
            "setting": first.setting,
            "runbook": first.runbook,
            "command": first.command,
        },
        files={"ladder.txt": ("\n".join(lines) + "\n").encode()},
    )
    return write(place.evidence_root, story)


def _pointed(place: Place) -> EvidenceRef:
    return newest(place.evidence_root, EvidenceMode.INCIDENT, EvidenceMode.TRIAGE)
