"""What a run would do first: the plan for the present book, account and settings, without one write.

The journal gives what is known of our own orders, the venue's reads and public streams the rest; a throw-away engine
plans with the settings given. A paper venue that had to be started for it is stopped again.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import fields
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from gridops import __version__
from gridops.adapters.ccxt_venue import CcxtVenue
from gridops.adapters.clock import Clock
from gridops.adapters.home import Home
from gridops.adapters.kill_latch import KillLatch
from gridops.adapters.redaction import Secrets
from gridops.config import Loaded
from gridops.decide.exposure import ExposureSums
from gridops.domain.events import Boot
from gridops.domain.evidence_ref import EvidenceMode, EvidenceRef, EvidenceStatus
from gridops.domain.instrument import Instrument
from gridops.domain.plan import Choice, Cost
from gridops.domain.rules import Rules
from gridops.domain.values import record
from gridops.domain.vocabulary import Decision, Side
from gridops.errors import VenueUnavailable
from gridops.runtime import facts
from gridops.runtime.engine import Engine
from gridops.runtime.state import EngineState, SymbolState
from gridops.usecases import feasible
from gridops.usecases.command_evidence import Story, write
from gridops.usecases.recovered import recovered
from gridops.usecases.rehearsal import QUOTING, Rehearsal, Rehearsed
from gridops.usecases.venue_session import MarketOptions, VenueSession, open_session
from gridops.usecases.what_if import differing, value_at

KEPT, AMENDED, CANCELLED, CREATED, REPLACED, WAITING = "keep", "amend", "cancel", "create", "replace", "wait"


@record
class PlannedLevel:
    """One level. Prices and quantities as the venue writes them; empty where there is none."""

    symbol: str
    level: int
    side: Side
    action: str
    """keep, amend, cancel, create, replace, or wait (wanted, but not now)."""
    reason: str
    rests: str
    wanted: str


@record
class PlannedSymbol:
    """Totals of one symbol; money in the settlement asset."""

    symbol: str
    book: str
    position: str
    actions: Mapping[str, int]
    exposure_before: Decimal
    """Worst case: every order of the worse side fills."""
    exposure_after: Decimal
    exposure_cap: Decimal
    leverage: int
    margin_before: Decimal
    """Initial margin of that exposure at the symbol's leverage."""
    margin_after: Decimal


@record
class DryRunReport:
    account: str
    state: str
    """The lifecycle state in which the plan was made; orders that raise exposure need ACTIVE or THROTTLED."""
    conditions: tuple[str, ...]
    changed: tuple[str, ...]
    """Rules that differ from those of the journal's last run."""
    symbols: tuple[PlannedSymbol, ...]
    levels: tuple[PlannedLevel, ...]
    cost: Cost
    """Sum over the plan."""
    operations: Mapping[str, int]
    """What would leave at once, by kind; what waits for it is not counted."""
    evidence: EvidenceRef

    @property
    def quoting(self) -> bool:
        return self.state in QUOTING


@record
class DryRunOptions:
    """One look as the command line asked for it."""

    loaded: Loaded
    home: Home
    evidence_root: Path
    environment: MutableMapping[str, str]
    from_ms: int | None = None
    loop: bool = False


def execute(options: DryRunOptions) -> DryRunReport:
    """Plan and report. GridopsError where a run could not begin either; ConfigError, VenueUnavailable among them."""
    secrets, settings = Secrets(), options.loaded.settings
    session = open_session(
        settings,
        market=MarketOptions(
            market=settings.venue.market,
            speed=str(settings.venue.speed),
            from_ms=options.from_ms,
            loop=options.loop,
        ),
        store=options.home.ensure().paper_venue_dir(settings.account.name),
        # The lock is on sending; nothing here can.
        armed=True,
        environment=options.environment,
        secrets=secrets,
    )
    try:
        known = recovered(options.home, settings)
        was = known.rules if known.booted else settings.rules()
        found, leverages = asyncio.run(_rehearse(options, session, known))
        return _report(options, found, leverages, was, secrets)
    finally:
        if session.handle is not None and session.started_here:
            with contextlib.suppress(VenueUnavailable):
                session.handle.stop()


async def _rehearse(
    options: DryRunOptions, session: VenueSession, known: EngineState
) -> tuple[Rehearsed, dict[str, int]]:
    rehearsals: list[Rehearsal] = []
    venue = CcxtVenue(settings=session.settings, put=lambda event: rehearsals[0].put(event))
    rehearsals.append(Rehearsal(Engine(known), Clock(), venue.query, lambda: venue.clock_offset_ms))
    try:
        instruments = await venue.connect()
        feasible.check_symbols(instruments)
        feasible.check(options.loaded.settings, instruments)
        leverages = await venue.leverages()
        await venue.start_streams(private=False)
        return await rehearsals[0].run(_boot(options, session, known, instruments)), leverages
    finally:
        await venue.close()


def _boot(
    options: DryRunOptions, session: VenueSession, known: EngineState, instruments: tuple[Instrument, ...]
) -> Boot:
    settings, clock = options.loaded.settings, Clock()
    name = settings.account.name
    return Boot(
        run_id="dryrun000000",
        instance_tag=known.identity.instance_tag or sha256(name.encode()).hexdigest()[:4],
        account=name,
        fingerprint=session.fingerprint,
        epoch=known.identity.epoch + 1,
        build=__version__,
        config_hash=settings.digest,
        armed=True,
        live=session.live,
        rules=settings.rules(),
        instruments=instruments,
        kill_latched=KillLatch(options.home.kill_latch(name), clock_ms=clock.wall_ms).is_set(),
    )


def _report(
    options: DryRunOptions, found: Rehearsed, leverages: Mapping[str, int], was: Rules, secrets: Secrets
) -> DryRunReport:
    state, account = found.state, options.loaded.settings.account.name
    choices = [choice for name in sorted(found.choices) for choice in found.choices[name]]
    symbols = tuple(
        planned_symbol(found, symbol, leverages.get(name, 1)) for name, symbol in sorted(state.symbols.items())
    )
    levels = tuple(planned_level(choice, state.symbols[choice.symbol]) for choice in choices)
    operations: dict[str, int] = {}
    for op in found.ops:
        operations[op.kind] = operations.get(op.kind, 0) + 1
    quoting = state.fsm.state in QUOTING
    facts_told = {
        "account": account,
        "state": str(state.fsm.state),
        "operations": operations,
        "symbols": [{each.name: str(getattr(one, each.name)) for each in fields(one)} for one in symbols],
    }
    story = Story(
        mode=EvidenceMode.RUN,
        status=EvidenceStatus.OK if quoting else EvidenceStatus.FINDING,
        reason="dry_run",
        title=f"dry run of {account}: {sum(operations.values())} operations would leave at once; none was sent",
        facts=facts_told,
        files={"plan.jsonl": "".join(f"{_line(level)}\n" for level in levels).encode()},
    )
    return DryRunReport(
        account=account,
        state=str(state.fsm.state),
        conditions=tuple(f"{level.reason} ({level.detail})" for level in state.levels.values()),
        changed=changed_rules(was, options.loaded.settings.rules()),
        symbols=symbols,
        levels=levels,
        cost=total_cost(choices),
        operations=operations,
        evidence=write(options.evidence_root, story, secrets),
    )


def changed_rules(was: Rules, now: Rules) -> tuple[str, ...]:
    """`grid.levels: 10 -> 5` for every rule that differs."""
    return tuple(f"{'.'.join(path)}: {value_at(was, path)} -> {value_at(now, path)}" for path in differing(was, now))


def _line(level: PlannedLevel) -> str:
    return json.dumps({each.name: getattr(level, each.name) for each in fields(level)})


def planned_symbol(found: Rehearsed, symbol: SymbolState, leverage: int) -> PlannedSymbol:
    """Totals of one symbol, before and after everything the plan decides has taken effect."""
    choices, made = found.choices.get(symbol.symbol, []), symbol.instrument
    actions: dict[str, int] = {}
    for choice in choices:
        name = action(choice)
        actions[name] = actions.get(name, 0) + 1
    before = made.unit * found.before_units.get(symbol.symbol, facts.wce_units(symbol))
    after = made.unit * _after_units(symbol, choices)
    return PlannedSymbol(
        symbol=symbol.symbol,
        book=f"{made.price(symbol.view.bid_ticks)}/{made.price(symbol.view.ask_ticks)}",
        position=str(made.quantity(symbol.position_lots)),
        actions=actions,
        exposure_before=before,
        exposure_after=after,
        exposure_cap=found.state.rules.risk.symbol_cap,
        leverage=leverage,
        margin_before=before / max(leverage, 1),
        margin_after=after / max(leverage, 1),
    )


def planned_level(choice: Choice, symbol: SymbolState) -> PlannedLevel:
    made = symbol.instrument
    return PlannedLevel(
        symbol=choice.symbol,
        level=choice.level,
        side=choice.side,
        action=action(choice),
        reason=f"{choice.reason} {choice.gate}" if choice.gate is not None else str(choice.reason),
        rests=f"{made.quantity(choice.from_lots)}@{made.price(choice.from_ticks)}" if choice.client_id else "",
        wanted=f"{made.quantity(choice.to_lots)}@{made.price(choice.to_ticks)}" if choice.to_lots else "",
    )


def total_cost(choices: list[Choice]) -> Cost:
    """Sum over the plan."""
    return Cost(
        calls=sum(choice.cost.calls for choice in choices),
        weight=sum(choice.cost.weight for choice in choices),
        orders=sum(choice.cost.orders for choice in choices),
        bare_ms=sum(choice.cost.bare_ms for choice in choices),
        queue_lots=sum(choice.cost.queue_lots for choice in choices),
    )


def action(choice: Choice) -> str:
    """What the decision means for the level's order."""
    if choice.decision is Decision.NOOP:
        return KEPT if choice.client_id else WAITING
    if choice.decision is Decision.AMEND:
        return AMENDED
    if not choice.client_id:
        return CREATED
    return REPLACED if choice.cost.orders else CANCELLED


def _after_units(symbol: SymbolState, choices: list[Choice]) -> int:
    total = ExposureSums(facts.mark_ticks(symbol))
    for choice in choices:
        match action(choice):
            case "keep":
                total.add_filled(choice.side, choice.from_lots, choice.from_ticks)
            case "amend" | "create" | "replace":
                total.add_filled(choice.side, choice.to_lots, choice.to_ticks)
            case _:
                pass
    bought, sold = facts.unbooked_units(symbol)
    total.buy_units += bought
    total.sell_units += sold
    return total.wce(symbol.position_lots, None)
