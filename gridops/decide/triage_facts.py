"""The frozen snapshot that triage reasons about: what was found of process, stores, lifecycle, books and market.

Below the diagnosis ladder. Plain values only, gathered by whoever may look; None is "not known" everywhere and never
stands for good news. Times are UTC unix milliseconds unless a name says otherwise.
"""

from dataclasses import field
from enum import StrEnum

from gridops.domain.values import record
from gridops.domain.vocabulary import FsmReason, FsmState, Severity


class Process(StrEnum):
    """What answers for the account. `absent`: it never ran in this home."""

    LIVE = "live"
    HUNG = "hung"
    DEAD = "dead"
    ABSENT = "absent"


class JournalSeen(StrEnum):
    """What became of opening the journal to read it."""

    OK = "ok"
    EMPTY = "empty"
    ABSENT = "absent"
    LOCKED = "locked"
    UNREADABLE = "unreadable"


@record
class LevelHeld:
    """An open condition."""

    reason: FsmReason
    scope: str
    since_ms: int
    detail: str = ""


@record
class Doubt:
    """A difference to the venue. `confirmed` by a second read; until then it may be a race."""

    kind: str
    severity: Severity
    symbol: str
    key: str
    local: str
    venue: str
    since_ms: int
    confirmed: bool


@record
class Refusing:
    """A level the venue keeps refusing. `number` is the venue's own error number."""

    level: str
    number: int
    in_row: int
    next_probe_ms: int


@record
class SymbolSeen:
    """One symbol. Prices in ticks, quantities in lots, money as whole units of tick x lot."""

    symbol: str
    targets: int
    """Orders the newest plan wants; 0 = it wants none."""
    working: int
    """Own orders that rest at the venue."""
    unknown: int
    bid_ticks: int
    ask_ticks: int
    buy_ticks: int
    """Highest resting buy of ours; 0 = none."""
    sell_ticks: int
    """Lowest resting sell of ours; 0 = none."""
    minute_cbps: int | None
    """Standard deviation of one minute's return, 1e-6; None while too few samples."""
    position_lots: int
    venue_lots: int | None
    wce_units: int
    cap_units: int
    blocked: dict[str, int] = field(default_factory=dict)
    """Gate -> levels whose newest decision it refused."""
    refusing: tuple[Refusing, ...] = ()


@record
class Snapshot:
    """Everything the ladder may know. `as_of_ms` is when the newest thing of the journal was true."""

    now_ms: int
    home: str
    account: str
    process: Process
    process_detail: str
    journal: JournalSeen
    journal_detail: str
    as_of_ms: int
    input_age_ms: int | None
    """Age of the newest input of an engine that answers."""
    disk_free_bytes: int | None
    disk_needed_bytes: int
    evidence_writable: bool | None
    config_error: str
    keys: str
    """`ok`, `not_needed`, `missing: why`; empty = not known."""
    kill_latch: str
    """Who and why; empty = not set."""
    state: FsmState | None
    since_ms: int
    last_reason: str
    armed: bool | None
    levels: tuple[LevelHeld, ...]
    doubts: tuple[Doubt, ...] | None
    symbols: tuple[SymbolSeen, ...] | None
    """None when the books could not be read."""
