"""Trade: one run of the engine from lease to summary. Ports in, a frozen report out; prints nothing."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from gridops.domain.effects import Finish
from gridops.domain.evidence_ref import EvidenceRef
from gridops.domain.values import record
from gridops.runtime import facts
from gridops.runtime.state import EngineState

BUNDLES_TOLD = 21
"""References of a run that a summary tells: its own bundle and twenty more. A run of weeks writes thousands."""


@record
class RunReport:
    """What an operator wants to know after a run. Money in the settlement asset."""

    account: str
    run_id: str
    epoch: int
    outcome: str
    clean: bool
    duration_s: int
    states: tuple[str, ...]
    inputs: int
    orders: dict[str, int]
    """Operations sent, by kind."""
    decisions: dict[str, dict[str, int]]
    """decision -> reason -> count."""
    fills: int
    roundtrips: int
    roundtrips_net: Decimal
    realised: Decimal
    fees: Decimal
    """Paid in the settlement asset."""
    funding: Decimal
    net: Decimal
    """Realised - fees + funding of this account's journal."""
    equity: Decimal | None
    wallet: Decimal
    position: dict[str, str]
    resting: tuple[str, ...]
    digest: str
    """Running digest of every record of the journal."""
    state_digest: str
    journal: Path
    evidence: tuple[EvidenceRef, ...] = ()
    """The run's newest, at most `BUNDLES_TOLD`, its own last; all of them stand in the evidence's index."""


def report(
    state: EngineState,
    finish: Finish,
    *,
    duration_s: int,
    digest: str,
    state_digest: str,
    journal: Path,
) -> RunReport:
    """Fold the final state into the summary."""
    asset = next(iter(state.symbols.values())).instrument.settle_asset
    ledger = state.ledger
    zero = Decimal(0)
    realised, fees = ledger.realised.get(asset, zero), ledger.fees.get(asset, zero)
    funding = ledger.funding.get(asset, zero)
    decisions: dict[str, dict[str, int]] = {}
    for name, count in sorted(state.counters.decisions.items()):
        decision, _, reason = name.partition("/")
        decisions.setdefault(decision, {})[reason] = count
    position = {name: str(s.instrument.quantity(s.position_lots)) for name, s in sorted(state.symbols.items())}
    return RunReport(
        account=state.identity.account,
        run_id=state.identity.run_id,
        epoch=state.identity.epoch,
        outcome=finish.outcome,
        clean=finish.clean,
        duration_s=duration_s,
        states=tuple(state.counters.states),
        inputs=state.seq,
        orders=dict(sorted(state.counters.ops.items())),
        decisions=decisions,
        fills=state.counters.fills,
        roundtrips=state.counters.trips,
        roundtrips_net=state.counters.trips_net,
        realised=realised,
        fees=fees,
        funding=funding,
        net=realised - fees + funding,
        equity=facts.equity(state),
        wallet=ledger.wallet.get(asset, zero),
        position=position,
        resting=finish.resting,
        digest=digest,
        state_digest=state_digest,
        journal=journal,
    )


@record
class Progress:
    """One line of life while it runs."""

    state: str
    since_s: int
    seq: int
    bid: str
    ask: str
    position: str
    working: int
    fills: int
    trips: int
    equity: str


def progress(state: EngineState) -> Progress | None:
    """What the status line shows; None before the boot."""
    if not state.booted or not state.symbols:
        return None
    symbol = next(iter(state.symbols.values()))
    equity = facts.equity(state)
    instrument = symbol.instrument
    return Progress(
        state=state.fsm.state.value,
        since_s=(state.now_ms - state.fsm.since_ms) // 1_000,
        seq=state.seq,
        bid=str(instrument.price(symbol.view.bid_ticks)),
        ask=str(instrument.price(symbol.view.ask_ticks)),
        position=str(instrument.quantity(symbol.position_lots)),
        working=sum(len(s.orders) for s in state.symbols.values()),
        fills=state.counters.fills,
        trips=state.counters.trips,
        equity="unknown" if equity is None else f"{equity:.2f}",
    )


OnProgress = Callable[[Progress], None]
