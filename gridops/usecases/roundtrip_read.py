"""An account's history for round trips and the tie-out, read once from its journal, beside an engine or after it.

What the engine booked comes from its records, what the venue said from the journaled inputs; the two are kept apart, so
that they can be compared. It decodes only the fields it wants, re-runs no step and writes nothing.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from operator import lt
from pathlib import Path

import msgspec

from gridops.adapters import journal_fields as wire
from gridops.adapters.journal_reader import JournalReader
from gridops.adapters.journal_sift import Part, Seen, Traded, rises
from gridops.decide.ledger import COMMISSION, FROM_FILLS, REALISED, Key, Rows, Stream
from gridops.decide.roundtrip_fills import Fills
from gridops.decide.roundtrip_marks import Marks
from gridops.decide.tieout import WalletRead
from gridops.domain.instrument import Instrument
from gridops.errors import JournalError
from gridops.runtime.ports_journal import InputRow
from gridops.usecases.roundtrip_sifters import parts

PROGRESS_EVERY = 50_000
CHUNK = 2_048
_QUIET_END = b",[],[]]"
"""How a row ends that led to no record and no effect."""
_FIRST_FILLED = b'[["Filled",{"fill":{'
_TELLING = frozenset({"Boot", "QueryReply"})
"""Kinds of input that tell something themselves."""
_FILLED_AT = len(b'[["Filled",')


@dataclass(slots=True)
class History:
    """What an account's journal tells. Times are the venue's."""

    account: str = ""
    rows: int = 0
    as_of_ms: int = 0
    """Wall time of the newest row."""
    fills: dict[str, Fills] = field(default_factory=dict)
    marks: dict[str, Marks] = field(default_factory=dict)
    ours: Rows = field(default_factory=Rows)
    """Everything booked, doubles included, but the rows of fills, until `booked` was asked for."""
    venue: Rows = field(default_factory=Rows)
    reads: list[WalletRead] = field(default_factory=list)
    """The opening entry first."""
    opened: bool = False
    """The opening entry is in the journal; not where its oldest rows are archived."""
    covered_ms: int = 0
    doubles: list[tuple[str, int]] = field(default_factory=list)
    """(symbol, trade id) of fills that were booked a second time."""
    whole: bool = False
    """Rows of fills are in our ledger."""

    def finish(self) -> None:
        """Bring everything into the venue's order. Call once, after the last row."""
        for fills in self.fills.values():
            fills.sort()
        for marks in self.marks.values():
            marks.close()

    def booked(self) -> Rows:
        """Our ledger, with the rows of fills. Ask once the history is finished."""
        if not self.whole:
            self.whole = True
            for fills in self.fills.values():
                self.ours.add_fills(fills)
        return self.ours


def read(
    path: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    meanwhile: Callable[[History], None] = lambda _history: None,
) -> History:
    """Read a whole journal. JournalError when it cannot be read.

    `progress(done, total)` is told now and then, and as often `meanwhile`: a history that nobody finished yet. To it
    rows are only added, and only `finish` puts them in order.
    """
    with JournalReader(path) as journal:
        newest, total = journal.last_row(), journal.count()
        fold = Fold(journal.meta().account)
        if newest is not None:
            first = next(journal.rows(0, newest.seq))
            before = journal.checkpoint_at(first.seq - 1)
            if before is not None:
                fold.resume(before.state)
            told = 0
            for part in parts(journal, first.seq, newest.seq):
                fold.take_part(part, journal)
                if fold.history.rows - told < PROGRESS_EVERY:
                    continue
                while fold.history.rows - told >= PROGRESS_EVERY:
                    told += PROGRESS_EVERY
                    progress(told, total)
                meanwhile(fold.history)
    return fold.result()


@dataclass(slots=True)
class _Held:
    """What is known of one symbol while rows come in."""

    fills: Fills
    ids: "_Ids" = field(default_factory=lambda: _Ids())
    position: int | None = None
    """By the engine, after the newest fill; None before the first."""
    waiting: list[wire.Fill] = field(default_factory=list)
    jumps: int = 0


class _Ids:
    """Trade ids that were booked. Those that rise are not looked up: a set of a million costs more than the fold."""

    __slots__ = ("_known", "_newest", "_unread")

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._unread: list[Iterable[int]] = []
        self._newest = 0

    def __contains__(self, trade_id: int) -> bool:
        return trade_id <= self._newest and not self.lack((trade_id,))

    def lack(self, ids: Sequence[int], *, rising: bool = False) -> bool:
        """Is none of them known?"""
        if ids[0] > self._newest and (rising or all(map(lt, ids, islice(ids, 1, None)))):
            return True
        self._known.update(*self._unread)
        self._unread.clear()
        return self._known.isdisjoint(ids)

    def update(self, ids: Sequence[int], *, rising: bool = False) -> None:
        self._unread.append(ids)
        self._newest = max(self._newest, ids[-1] if rising else max(ids))


class Fold:
    """Takes journal rows in order."""

    def __init__(self, account: str) -> None:
        self.history = History(account=account)
        self._held: dict[str, _Held] = {}
        self._read: dict[str, wire.Position] = {}
        self._read_ms = 0
        self._scale: dict[str, tuple[int, int]] = {}
        self._regime: dict[str, str] = {}
        self._listed: dict[tuple[str, str, str], Stream] = {}
        """The venue's streams by kind, symbol and asset: a key is not made for each of a million rows."""

    def take_part(self, part: Part, journal: JournalReader) -> None:
        """Fold rows in by their columns, or one by one where that is asked for or what came before demands it."""
        if part.plain or not all(self._follows(traded) for traded in part.traded):
            for row in journal.rows(part.first_seq, part.last_seq):
                self.take(row)
            return
        history = self.history
        history.rows += part.rows
        history.as_of_ms = part.wall_ms
        history.covered_ms = max(history.covered_ms, part.covered_ms)
        for seen in part.seen:
            self._quoted(seen)
        for traded in part.traded:
            self._traded(traded)
        for listed in part.listed:
            stream = history.venue.stream(Key(listed.kind, listed.symbol, listed.asset))
            columns = map(_longs, (listed.ref, listed.at_ms, listed.amount_e8))
            stream.extend(*columns, rising=listed.rising)

    def take(self, row: InputRow) -> None:
        """Fold one row in. JournalError when it is not of this build's shape."""
        history = self.history
        history.rows += 1
        history.as_of_ms = row.wall_ms
        try:
            if row.kind == "ViewChanged":
                self._view(row.body)
                if row.body.endswith(_QUIET_END):
                    return
            if row.kind == "OrderReport" and self._only_filled(row.body):
                return
            if row.kind not in _TELLING and not _tells(row.body):
                return
            stored = wire.ROW.decode(row.body)
            if row.kind == "Boot":
                self._boot(stored)
            reply = self._reply(stored.event) if row.kind == "QueryReply" else None
            for kind, raw in stored.records:
                self._record(kind, raw, stored.header.venue_ms, reply)
        except (msgspec.MsgspecError, ValueError) as error:
            raise JournalError(f"journal row {row.seq} cannot be accounted for: {error}") from error

    def resume(self, state: bytes) -> None:
        """The journal's oldest rows are archived: instruments and positions come from the state they led to."""
        for symbol, held in msgspec.json.decode(state, type=wire.State).symbols.items():
            self.history.fills[symbol] = Fills(held.instrument)
            self._read[symbol] = wire.Position(symbol, held.position_lots, held.entry_price, Decimal(0), Decimal(0))
            self._scale[symbol] = (1, 1)

    def result(self) -> History:
        history = self.history
        opening = history.reads[0] if history.reads else None
        for symbol, fills in history.fills.items():
            held = self._held.get(symbol)
            if held is not None:
                self._store(held)
            elif opening is not None:
                self._open(fills, opening.lots.get(symbol, 0))
        self._held.clear()
        history.finish()
        return history

    def _only_filled(self, body: bytes) -> bool:
        """The common case without a look at the rest of the row: a trade, and records that tell nothing else."""
        start = body.find(_FIRST_FILLED)
        if start < 0:
            return False
        stop = body.find(b"}]", start) + 1
        # Spelt out: a generator here is a tenth of the time a long read takes.
        if body.find(b'"Filled"', stop) >= 0 or body.find(b'"Booked"', stop) >= 0:
            return False
        if body.find(b'"RegimeChanged"', stop) >= 0:
            return False
        self._filled(wire.FILLED.decode(body[start + _FILLED_AT : stop]), None)
        return True

    def _view(self, body: bytes) -> None:
        view = wire.VIEW_ROW.decode(body).event.view
        if view.bid_ticks and view.ask_ticks:
            marks = self.history.marks.get(view.symbol)
            if marks is None:
                marks = self.history.marks[view.symbol] = Marks()
            tick, _ = self._scale.get(view.symbol, (1, 1))
            marks.add(view.book_event_ms, (view.bid_ticks + view.ask_ticks) * tick)

    def _boot(self, row: wire.Row) -> None:
        for instrument in wire.BOOT.decode(row.event).instruments:
            fills = self.history.fills.get(instrument.symbol)
            if fills is None:
                fills = self.history.fills[instrument.symbol] = Fills(instrument)
            self._scale[instrument.symbol] = _scale(fills.instrument, instrument)
            self._change(instrument.symbol, "unknown", row.header.venue_ms)

    def _reply(self, event: msgspec.Raw) -> WalletRead | None:
        head = wire.HEAD.decode(event)
        if not head.ok or head.kind not in ("positions", "income"):
            return None
        reply = wire.REPLY.decode(event)
        if head.kind == "income":
            if reply.complete:
                self.history.covered_ms = max(self.history.covered_ms, reply.started_ms)
            for row in reply.incomes:
                self._income(row)
            return None
        self._read = {each.symbol: each for each in reply.positions}
        self._read_ms = reply.started_ms
        found = WalletRead(
            from_ms=reply.started_ms,
            to_ms=reply.ended_ms,
            wallets={each.asset: wire.whole_e8(each.wallet) for each in reply.balances},
            unrealised={each.symbol: each.unrealised for each in reply.positions},
            marks={each.symbol: each.mark_price for each in reply.positions},
            lots={each.symbol: each.lots for each in reply.positions},
        )
        if self.history.reads:
            self.history.reads.append(found)
        elif reply.balances:
            self.history.reads = [found]
        return found

    def _income(self, row: wire.Income) -> None:
        kind = row.income_type
        amount = wire.whole_e8(row.amount)
        if not amount:
            return
        names = (kind, row.symbol, row.asset)
        stream = self._listed.get(names)
        if stream is None:
            stream = self._listed[names] = self.history.venue.stream(Key(*names))
        ref = row.trade_id if kind in FROM_FILLS else row.tran_id
        stream.add(int(ref or row.tran_id), row.at_ms, amount)

    def _record(self, kind: str, raw: msgspec.Raw, venue_ms: int, reply: WalletRead | None) -> None:
        if kind == "Filled":
            self._filled(wire.FILLED.decode(raw), venue_ms)
        elif kind == "Booked":
            self._booked(wire.BOOKED.decode(raw))
        elif kind == "RegimeChanged":
            changed = wire.REGIME.decode(raw)
            self._change(changed.symbol, changed.to_regime, venue_ms)
        elif kind == "Note" and reply is not None and wire.NOTE.decode(raw).topic == "opening_entry":
            self.history.reads, self.history.opened = [reply], True

    def _filled(self, said: wire.Filled, venue_ms: int | None) -> None:
        fill = said.fill
        symbol = fill.symbol
        held = self._held.get(symbol)
        if held is None:
            held = self._held[symbol] = _Held(self.history.fills[symbol])
        lots = fill.lots if fill.side == "BUY" else -fill.lots
        if fill.trade_id in held.ids:
            self._double(fill, said.position_lots, held)
            return
        held.ids.update((fill.trade_id,))
        if said.position_lots - lots != held.position:
            self._jump(held, fill, said.position_lots - lots, venue_ms)
        held.position = said.position_lots
        held.waiting.append(fill)
        if len(held.waiting) >= CHUNK:
            self._store(held)

    def _follows(self, traded: Traded) -> bool:
        """Do these fills go on from where the engine stood, and is none of them known?"""
        held = self._held.get(traded.symbol)
        if held is None or held.position != traded.before:
            return False
        return held.ids.lack(_longs(traded.trade_id), rising=traded.rising)

    def _traded(self, traded: Traded) -> None:
        held = self._held[traded.symbol]
        if held.waiting:
            # In their order: fills that are out of it have to be sorted in the end.
            self._store(held)
        fills, (tick, step) = held.fills, self._scale[traded.symbol]
        ids = _longs(traded.trade_id)
        held.ids.update(ids, rising=traded.rising)
        held.position = traded.after
        first = len(fills)
        fills.trade_id.frombytes(traded.trade_id)
        fills.at_ms.frombytes(traded.at_ms)
        if traded.rising:
            fills.rose(first)
        fills.sign.frombytes(traded.sign)
        fills.price.extend(_longs(traded.price, tick))
        fills.lots.extend(_longs(traded.lots, step))
        fills.level.frombytes(traded.level)
        fills.order.frombytes(traded.order)
        fills.fee_e8.frombytes(traded.fee_e8)
        numbers = array("b", [fills.asset_number(name) for name in traded.fee_assets])
        fills.fee_asset.extend(numbers * len(ids) if len(numbers) == 1 else numbers)
        fills.realised_e8.frombytes(traded.realised_e8)
        fills.maker.frombytes(traded.maker)
        fills.mid2.extend(_longs(traded.mid2, tick))
        fills.intended.extend(_longs(traded.intended, tick))

    def _quoted(self, seen: Seen) -> None:
        marks = self.history.marks.get(seen.symbol)
        if marks is None:
            marks = self.history.marks[seen.symbol] = Marks()
        tick, _ = self._scale.get(seen.symbol, (1, 1))
        marks.extend(_longs(seen.times), _longs(seen.sums, tick), rising=seen.rising)

    def _store(self, held: "_Held") -> None:
        """Move what waits into the columns, a column at a time: that is several times cheaper than fill by fill."""
        fills, rows = held.fills, held.waiting
        tick, step = self._scale[fills.instrument.symbol]
        first = len(fills)
        fills.trade_id.extend([f.trade_id for f in rows])
        fills.at_ms.extend([f.at_ms for f in rows])
        if rises(fills.at_ms[first:], fills.trade_id[first:]):
            fills.rose(first)
        fills.sign.extend([1 if f.side == "BUY" else -1 for f in rows])
        fills.price.extend([f.price_ticks * tick for f in rows])
        fills.lots.extend([f.lots * step for f in rows])
        fills.level.extend([f.level for f in rows])
        fills.order.frombytes(wire.order_numbers([f.client_id for f in rows]))
        fills.fee_e8.extend([wire.whole_e8(f.fee) for f in rows])
        numbers = {asset: fills.asset_number(asset) for asset in sorted({f.fee_asset for f in rows})}
        fills.fee_asset.extend([numbers[f.fee_asset] for f in rows])
        fills.realised_e8.extend([wire.whole_e8(f.realised) for f in rows])
        fills.maker.extend([f.maker for f in rows])
        fills.mid2.extend([f.decision_mid2 * tick for f in rows])
        fills.intended.extend([f.intended_ticks * tick for f in rows])
        rows.clear()

    def _double(self, fill: wire.Fill, position_lots: int, held: "_Held") -> None:
        """Booked a second time: trips own it once, our ledger has it twice."""
        settle = held.fills.instrument.settle_asset
        ours, symbol = self.history.ours, fill.symbol
        self.history.doubles.append((symbol, fill.trade_id))
        ours.add(Key(REALISED, symbol, settle), fill.trade_id, fill.at_ms, wire.whole_e8(fill.realised))
        ours.add(Key(COMMISSION, symbol, fill.fee_asset), fill.trade_id, fill.at_ms, -wire.whole_e8(fill.fee))
        held.position = position_lots

    def _jump(self, held: "_Held", fill: wire.Fill, before: int, venue_ms: int | None) -> None:
        """The engine's position before this fill is not what fills made: the opening one, or a change unexplained."""
        if held.position is None:
            self._open(held.fills, before)
            return
        self._store(held)
        at_ms = fill.at_ms if venue_ms is None else min(venue_ms, fill.at_ms)
        self._unexplained(held, before - held.position, fill.price_ticks, at_ms)

    def _open(self, fills: Fills, lots: int) -> None:
        """Enter what was there before the first fill, at the price the venue states for it."""
        seen = self._read.get(fills.instrument.symbol)
        if lots and seen is not None:
            fills.opening_lots, fills.opening_price = lots, seen.entry_price
            fills.opening_ms = self.history.reads[0].from_ms if self.history.reads else self._read_ms

    def _booked(self, row: wire.Booked) -> None:
        amount, kind = wire.whole_e8(row.amount), row.kind.upper()
        self.history.ours.add(Key(kind, row.symbol, row.asset), wire.reference(row.tran_id), row.at_ms, amount)
        fills = self.history.fills.get(row.symbol)
        if row.lots and fills is not None:
            self._adopted(fills, row)
        if kind == "FUNDING_FEE" and fills is not None and row.asset == fills.instrument.settle_asset:
            fills.funding.append((row.at_ms, amount))

    def _adopted(self, fills: Fills, row: wire.Booked) -> None:
        """The engine took the venue's position over: an entry of its own, that no fill explains."""
        held = self._held.get(row.symbol)
        if held is None:
            opening = self.history.reads[0].lots.get(row.symbol, 0) if self.history.reads else 0
            held = self._held[row.symbol] = _Held(fills, position=opening)
            self._open(fills, opening)
        self._store(held)
        held.position = (held.position or 0) + row.lots
        self._unexplained(held, row.lots, row.price_ticks, row.at_ms)

    def _unexplained(self, held: "_Held", lots: int, price_ticks: int, at_ms: int) -> None:
        tick, step = self._scale[held.fills.instrument.symbol]
        held.jumps += 1
        held.fills.add(-held.jumps, at_ms, 1 if lots > 0 else -1, price_ticks * tick, abs(lots) * step)

    def _change(self, symbol: str, regime: str, venue_ms: int) -> None:
        fills = self.history.fills.get(symbol)
        if fills is not None and self._regime.get(symbol) != regime:
            fills.regimes.append((venue_ms, regime))
            self._regime[symbol] = regime


def _tells(body: bytes) -> bool:
    """May a row of another kind hold a record that is accounted for? What is no whole row is left to the decoder."""
    if not (body.startswith(b"[") and body.endswith(b"]")):
        return True
    # Spelt out, as above.
    return b'"Filled"' in body or b'"Booked"' in body or b'"RegimeChanged"' in body or b'"Note"' in body


def _longs(column: bytes, times: int = 1) -> "array[int]":
    """A column as integers, each so many times what it says."""
    values = array("q", column)
    return values if times == 1 else array("q", [each * times for each in values])


def _scale(old: Instrument, new: Instrument) -> tuple[int, int]:
    """What a tick and a lot of a later run are in those of the first one."""
    ticks, lots = new.tick_size / old.tick_size, new.step_size / old.step_size
    if ticks != int(ticks) or lots != int(lots):
        raise ValueError(f"{new.symbol}: tick or step became finer ({new.tick_size}, {new.step_size})")
    return int(ticks), int(lots)
