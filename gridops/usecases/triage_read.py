"""Gather the frozen snapshot of triage: process, journal, books, stores, settings and keys, each allowed to fail.

Read-only and bounded: one answer of the control socket, the newest checkpoint and at most its tail. What cannot be read
becomes a word of the snapshot and never an exception.
"""

import os
import shutil
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from gridops import __version__
from gridops.adapters.clock import Clock
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.kill_latch import KillLatch
from gridops.adapters.redaction import Secrets
from gridops.decide import volatility
from gridops.decide.triage_facts import Doubt, JournalSeen, LevelHeld, Process, Refusing, Snapshot, SymbolSeen
from gridops.domain.rules import Rules
from gridops.domain.values import record
from gridops.domain.vocabulary import RESTING, FsmReason, FsmState, OrderState, Side
from gridops.errors import ConfigError, GridopsError, JournalError
from gridops.runtime import facts
from gridops.runtime.engine import Engine, recover
from gridops.runtime.ports_journal import CheckpointRow, InputRow, Tail
from gridops.runtime.state import EngineState, SymbolState
from gridops.usecases import fsm_show, journal_fsm, settings_known
from gridops.usecases.fsm_show import FsmReport
from gridops.usecases.journal_fsm import Lifecycle
from gridops.usecases.liveness import Pulse, feel
from gridops.usecases.place import Place
from gridops.usecases.settings_known import Known

DISK_NEEDED = 64_000_000
"""Free bytes looked for where no setting says more."""
MOST_TAIL = 10_000
"""Rows after the newest checkpoint that are re-run for the figures, many times what an engine leaves; of more, none."""
PAPER = "paper"


@record
class JournalRead:
    """What the journal gave. `engine` is None when its state could not be restored by this build."""

    seen: JournalSeen
    detail: str
    lifecycle: Lifecycle | None = None
    checkpoint: CheckpointRow | None = None
    tail: tuple[InputRow, ...] = ()
    engine: Engine | None = None

    @property
    def state(self) -> EngineState | None:
        return None if self.engine is None else self.engine.state


@record
class Gathered:
    """The snapshot, and what it was made from for the rest of the page."""

    snapshot: Snapshot
    fsm: FsmReport
    pulse: Pulse
    journal: JournalRead


def gather(place: Place, environment: Mapping[str, str]) -> Gathered:
    """Look once at everything. Never raises for what it finds."""
    home, account = place.home, place.account
    pulse = feel(home, account)
    journal = read_journal(home.journal(account))
    shown = fsm_show.build(place, pulse, journal.lifecycle)
    # Nothing was set: the defaults are valid, and the library that validates costs a third of the answer.
    defaults = place.config is None and not any(settings_known.is_setting(name) for name in environment)
    known, config_error = (None, "") if defaults else settings_known.read(place, environment)
    process, now_ms = Process(pulse.process.value), Clock().wall_ms()
    snapshot = Snapshot(
        now_ms=now_ms,
        home=str(home.root),
        account=account,
        process=process,
        process_detail=pulse.detail or (f"pid {pulse.pid}" if pulse.pid else ""),
        journal=journal.seen,
        journal_detail=journal.detail,
        as_of_ms=shown.as_of_ms,
        input_age_ms=_input_age(pulse, now_ms),
        disk_free_bytes=disk_free(home.root),
        disk_needed_bytes=disk_needed(0 if known is None else known.min_free_mb),
        evidence_writable=_writable(place.evidence_root),
        config_error=config_error,
        keys="not_needed" if defaults else _keys(known, environment, account, process),
        kill_latch=_latch(place),
        state=FsmState(shown.state) if shown.state else None,
        since_ms=shown.since_ms,
        last_reason=shown.last_reason,
        armed=shown.armed if shown.state else None,
        levels=_levels(shown),
        doubts=None if journal.state is None else _doubts(journal.state),
        symbols=None if journal.state is None else _symbols(journal.state),
    )
    return Gathered(snapshot=snapshot, fsm=shown, pulse=pulse, journal=journal)


def read_journal(path: Path) -> JournalRead:
    """Lifecycle, newest checkpoint, its tail, and the engine's state restored from them."""
    if not path.exists():
        return JournalRead(seen=JournalSeen.ABSENT, detail=f"no journal at {path}")
    try:
        lifecycle = journal_fsm.read(path)
        if lifecycle is None:
            return JournalRead(seen=JournalSeen.EMPTY, detail=f"{path} has no rows yet")
        with JournalReader(path) as reader:
            checkpoint = reader.last_checkpoint()
            after = 0 if checkpoint is None else checkpoint.seq
            tail = None if lifecycle.seq - after > MOST_TAIL else tuple(reader.rows(after + 1, 1 << 62))
    except (JournalError, OSError) as error:
        locked = " is busy: " in str(error)
        return JournalRead(seen=JournalSeen.LOCKED if locked else JournalSeen.UNREADABLE, detail=str(error))
    return JournalRead(
        seen=JournalSeen.OK, detail=str(path), lifecycle=lifecycle, checkpoint=checkpoint, tail=tail or (),
        engine=None if tail is None else _restored(checkpoint, tail),
    )  # fmt: skip


def _restored(checkpoint: CheckpointRow | None, tail: tuple[InputRow, ...]) -> Engine | None:
    try:
        return recover(Tail(checkpoint, list(tail), 0), EngineState(rules=Rules(symbols=())), build=__version__)
    except (GridopsError, ValueError, KeyError, TypeError, ArithmeticError):
        # Another build's journal, or a tail that does not replay: its figures are unknown, its lifecycle is not.
        return None


def _keys(known: Known | None, environment: Mapping[str, str], account: str, process: Process) -> str:
    if known is None:
        return ""
    if known.url == PAPER:
        return "not_needed"
    from gridops.adapters import keys

    try:
        keys.load(dict(environment), Secrets(), account=account)
    except ConfigError as error:
        # A running engine took its keys at its start; this shell may well have none.
        return "held by the engine" if process is Process.LIVE else f"missing: {error}"
    return "ok"


def _input_age(pulse: Pulse, now_ms: int) -> int | None:
    shown = (pulse.reply or {}).get("snapshot")
    if not isinstance(shown, dict) or not isinstance(shown.get("wall_ms"), int):
        return None
    wall_ms: int = shown["wall_ms"]
    return max(0, now_ms - wall_ms)


def _latch(place: Place) -> str:
    note = KillLatch(place.home.kill_latch(place.account), clock_ms=lambda: 0).read()
    return "" if note is None else f"{note.author}: {note.reason}"


def _levels(shown: FsmReport) -> tuple[LevelHeld, ...]:
    return tuple(
        LevelHeld(reason=FsmReason(each.reason), scope=each.scope, since_ms=each.since_ms, detail=each.detail)
        for each in shown.levels
    )


def _doubts(state: EngineState) -> tuple[Doubt, ...]:
    to_wall_ms = state.wall_ms - state.venue_ms
    return tuple(
        Doubt(
            kind=each.kind.value, severity=each.severity, symbol=each.symbol, key=each.key, local=each.local,
            venue=each.venue, since_ms=each.since_ms + to_wall_ms, confirmed=each.confirmed,
        )
        for _, each in sorted(state.sync.suspicions.items())
    )  # fmt: skip


def _symbols(state: EngineState) -> tuple[SymbolSeen, ...]:
    return tuple(_symbol(each, state.rules.risk.symbol_cap) for each in state.symbols.values())


def _symbol(symbol: SymbolState, cap: Decimal) -> SymbolSeen:
    resting = [each for each in symbol.orders.values() if each.state in RESTING]
    buys = [each.price_ticks for each in resting if each.side is Side.BUY]
    sells = [each.price_ticks for each in resting if each.side is Side.SELL]
    return SymbolSeen(
        symbol=symbol.symbol,
        targets=symbol.targets,
        working=len(resting),
        unknown=sum(1 for each in symbol.orders.values() if each.state is OrderState.UNKNOWN),
        bid_ticks=symbol.view.bid_ticks,
        ask_ticks=symbol.view.ask_ticks,
        buy_ticks=max(buys, default=0),
        sell_ticks=min(sells, default=0),
        minute_cbps=volatility.minute_cbps(symbol.volatility),
        position_lots=symbol.position_lots,
        venue_lots=symbol.venue_lots if symbol.venue_lots_ms else None,
        wce_units=facts.wce_units(symbol),
        cap_units=symbol.instrument.units(cap),
        blocked=_blocked(symbol),
        refusing=tuple(
            Refusing(level=key, number=number, in_row=in_row, next_probe_ms=probe)
            for key, (number, in_row, probe) in sorted(symbol.refused.items())
        ),
    )


def _blocked(symbol: SymbolState) -> dict[str, int]:
    """Gate -> levels whose newest decision it refused, by what each level said last."""
    counts: dict[str, int] = {}
    for said in symbol.last_choice.values():
        words = said.split("|")
        if len(words) >= 4 and words[1] == "blocked_gate":
            counts[words[3]] = counts.get(words[3], 0) + 1
    return counts


def disk_free(path: Path) -> int | None:
    """Bytes free where this path is or would be; None when that cannot be told."""
    try:
        return shutil.disk_usage(_standing(path)).free
    except OSError:
        return None


def disk_needed(min_free_mb: int) -> int:
    """Bytes that must be free: the setting, or a little where it says nothing."""
    return min_free_mb * 1_000_000 or DISK_NEEDED


def _writable(root: Path) -> bool | None:
    try:
        return os.access(_standing(root.absolute()), os.W_OK | os.X_OK)
    except OSError:
        return None


def _standing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
