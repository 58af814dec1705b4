"""From confirmed differences to a plan of remedies: what each would do, whether it is safe, and which gate stops it.

A pure function of one look at both sides. The digest covers what the plan was judged on, so that `--apply` carries out
exactly this plan or nothing. It writes nothing and reads no clock.
"""

from collections.abc import Callable
from hashlib import sha256
from json import dumps

from gridops.decide.sync_table import BOOKS, ORDER, ROWS, SAFE, WRITES, Remedy
from gridops.domain.values import record
from gridops.domain.vocabulary import MismatchKind, Severity

SWITCHES = ("kill", "drawdown", "lease", "arm", "budget")
"""All five must allow before a plan is applied, whatever is in it."""


@record
class Finding:
    """One difference as the reads show it. `reads` consistent ones in a row; `confirmed` after enough of them."""

    kind: MismatchKind
    severity: Severity
    symbol: str
    """Empty = the account's."""
    key: str
    local: str
    venue: str
    reads: int
    confirmed: bool
    explained: bool = False
    """Trades or income were read to their end after it was first seen, and what they list is booked."""


@record
class Side:
    """One symbol on both sides at the moment of the look. Orders as `id state side lots@price filled n`, sorted."""

    symbol: str
    local_lots: int
    venue_lots: int
    venue_read_ms: int
    """Venue time when the position read was asked for; 0 = never."""
    local_orders: tuple[str, ...]
    venue_orders: tuple[str, ...]
    wce_units: int
    cap_units: int
    mark_ticks: int
    max_order_units: int = 0


@record
class World:
    """Everything a plan is judged on. `refusals` maps a switch to why it refuses; absent = it allows."""

    sides: tuple[Side, ...]
    findings: tuple[Finding, ...]
    refusals: tuple[tuple[str, str], ...]
    auto: frozenset[str]
    """Remedies that the configuration lets the running engine carry out by itself."""


@record
class Item:
    """One remedy. Units are ticks x lots; `wce_after` is the worst case once it is done."""

    remedy: Remedy
    kind: MismatchKind
    severity: Severity
    symbol: str
    key: str
    local: str
    venue: str
    safe: bool
    automatic: bool
    writes: bool
    ready: bool
    why: str
    """Why it is not ready, or what it does."""
    gates: tuple[tuple[str, str], ...]
    """(switch or gate, empty or why it refuses)."""
    wce_before: int
    wce_after: int
    lots: int = 0
    """Signed lots that our books or the position move by."""

    @property
    def refused_by(self) -> str:
        """The first gate that stops it; empty when none does."""
        return next((f"{name}: {why}" for name, why in self.gates if why), "")


@record
class RemedyPlan:
    items: tuple[Item, ...]
    digest: str

    @property
    def refused_by(self) -> str:
        """The first gate that stops any of it: a plan is carried out whole or not at all."""
        return next((item.refused_by for item in self.items if item.refused_by), "")

    @property
    def ready(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.ready)


GateOf = Callable[[Remedy, Finding], str]
"""Why the ordinary gate chain refuses the write of this remedy; empty when it does not."""


def plan(world: World, gate_of: GateOf) -> RemedyPlan:
    """The remedies of every finding, in the order in which they are carried out, and the plan's digest."""
    sides = {side.symbol: side for side in world.sides}
    items = [_item(finding, sides.get(finding.symbol), world, gate_of) for finding in world.findings]
    items += [each for side in world.sides if (each := _reduction(side, world, gate_of, items)) is not None]
    items.sort(key=lambda item: (ORDER[item.remedy], item.symbol, item.kind, item.key))
    return RemedyPlan(items=tuple(items), digest=digest(world, tuple(items)))


def digest(world: World, items: tuple[Item, ...]) -> str:
    """sha256 over the remedies, and over orders and positions of both sides of the symbols they concern.

    Ages and read counts are left out: time alone does not move the world. Symbols without a remedy may go on trading.
    """
    touched = {item.symbol for item in items if item.remedy is not Remedy.LEAVE}
    everything = "" in touched
    body = {
        "sides": [
            [s.symbol, s.local_lots, s.venue_lots, list(s.local_orders), list(s.venue_orders)]
            for s in sorted(world.sides, key=lambda side: side.symbol)
            if everything or s.symbol in touched
        ],
        "items": [[i.remedy, i.kind, i.symbol, i.key, i.local, i.venue, i.ready, i.lots] for i in items],
    }
    return sha256(dumps(body, sort_keys=True).encode()).hexdigest()


def _item(finding: Finding, side: Side | None, world: World, gate_of: GateOf) -> Item:
    remedy, why = _choose(finding)
    ready = finding.confirmed and not why
    lots = 0
    before = after = 0 if side is None else side.wce_units
    if remedy is Remedy.UNATTRIBUTED and side is not None:
        lots = side.venue_lots - side.local_lots
        # The worst case counts the larger of both figures already: taking the venue's can only lower it.
        after = min(before, before - abs(side.local_lots) * side.mark_ticks + abs(side.venue_lots) * side.mark_ticks)
        after = max(after, abs(side.venue_lots) * side.mark_ticks)
    return Item(
        remedy=remedy,
        kind=finding.kind,
        severity=finding.severity,
        symbol=finding.symbol,
        key=finding.key,
        local=finding.local,
        venue=finding.venue,
        safe=remedy in SAFE,
        automatic=remedy.value in world.auto,
        writes=remedy in WRITES,
        ready=ready and remedy in (BOOKS | WRITES),
        why=why or ("" if finding.confirmed else f"seen in {finding.reads} read(s), not confirmed"),
        gates=_gates(remedy, finding, world, gate_of),
        wce_before=before,
        wce_after=after,
        lots=lots,
    )


def _choose(finding: Finding) -> tuple[Remedy, str]:
    """The remedy of this difference now, and why it must wait; a position is imported before it is accepted."""
    row = ROWS[finding.kind]
    if row.remedy is Remedy.UNATTRIBUTED and not finding.explained:
        return Remedy.IMPORT, ""
    if finding.kind is MismatchKind.FILTERS_CHANGED and finding.severity is Severity.CRITICAL:
        return Remedy.FREEZE, row.impact
    if row.remedy in (Remedy.FREEZE, Remedy.LEAVE, Remedy.DISCARD):
        return row.remedy, row.impact
    return row.remedy, ""


def _gates(remedy: Remedy, finding: Finding, world: World, gate_of: GateOf) -> tuple[tuple[str, str], ...]:
    if remedy not in BOOKS | WRITES:
        return ()
    refusals = dict(world.refusals)
    found = [(name, refusals.get(name, "")) for name in SWITCHES]
    if remedy in WRITES:
        found.append(("chain", gate_of(remedy, finding)))
    return tuple(found)


def _reduction(side: Side, world: World, gate_of: GateOf, items: list[Item]) -> Item | None:
    """A position past its cap by the venue's own read, once our books agree with it: down to the cap, never further.

    One application reduces by one order at the most; what is left is the next plan's.
    """
    if side.mark_ticks <= 0 or side.local_lots != side.venue_lots or not side.venue_read_ms:
        return None
    over = abs(side.venue_lots) - side.cap_units // side.mark_ticks
    if over <= 0 or any(item.symbol == side.symbol and item.remedy is Remedy.UNATTRIBUTED for item in items):
        return None
    lots = min(over, max(1, side.max_order_units // side.mark_ticks))
    finding = Finding(
        kind=MismatchKind.POSITION_QTY,
        severity=Severity.WARN,
        symbol=side.symbol,
        key="cap",
        local=str(side.local_lots),
        venue=str(side.venue_lots),
        reads=1,
        confirmed=True,
    )
    return Item(
        remedy=Remedy.REDUCE,
        kind=finding.kind,
        severity=finding.severity,
        symbol=side.symbol,
        key="cap",
        local=finding.local,
        venue=finding.venue,
        safe=False,
        automatic=False,
        writes=True,
        ready=True,
        why=f"{over} lots above the cap",
        gates=_gates(Remedy.REDUCE, finding, world, gate_of),
        wce_before=side.wce_units,
        wce_after=side.wce_units - lots * side.mark_ticks,
        lots=-lots if side.venue_lots > 0 else lots,
    )
