"""Writes a journal as an engine would have left it: a ladder traded on two symbols, funding, reads, a restart.

The rows carry the events and records that matter for accounting, in the real encoding. Errors can be planted in what
the engine booked, never in what the venue said.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from gridops.adapters.journal_sqlite import open_journal
from gridops.domain.events import Boot, Event, Header, OrderReport, QueryReply, ViewChanged
from gridops.domain.instrument import Instrument
from gridops.domain.market import MarketView
from gridops.domain.orders import Fill, VenueBalance, VenueIncome, VenuePosition, VenueTrade
from gridops.domain.records import Booked, Filled, Note, Record, RegimeChanged, Sent
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import OpKind, QueryKind, Regime, Severity, Side, VenueCode
from gridops.runtime import codec
from gridops.runtime.ports_journal import CheckpointRow, JournalRow

START_MS = 1_721_260_800_000
Row = tuple[int, Event, list[Record]]
Plant = Callable[[list[Record]], list[Record]]
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def instrument(symbol: str) -> Instrument:
    return Instrument(
        symbol=symbol, settle_asset="USDT", tick_size=Decimal("0.1"), step_size=Decimal("0.001"), min_price_ticks=1,
        max_price_ticks=10**8, min_lots=1, max_lots=10**6, market_max_lots=10**5, min_notional=Decimal(50),
        percent_up=Decimal("1.05"), percent_down=Decimal("0.95"),
    )  # fmt: skip


def boot(number: int) -> Boot:
    return Boot(
        run_id=f"run00000000{number}", instance_tag="test", account="paper", fingerprint="f", epoch=7, build="0",
        config_hash="c", armed=True, live=False, rules=Rules(symbols=SYMBOLS),
        instruments=tuple(map(instrument, SYMBOLS)),
    )  # fmt: skip


class Story:
    """Rows of one account's journal, with the wallet and positions a venue would keep meanwhile."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.fills: list[Fill] = []
        self.incomes: list[VenueIncome] = []
        self.wallet = {"USDT": Decimal(10_000), "BNB": Decimal(3)}
        self._cost = dict.fromkeys(SYMBOLS, Decimal(0))
        self._lots = dict.fromkeys(SYMBOLS, 0)
        self._mark = dict.fromkeys(SYMBOLS, Decimal("60000"))
        self._queries = 0

    def say(self, at_ms: int, event: Event, *records: Record) -> None:
        self.rows.append((at_ms, event, list(records)))

    def read(self, at_ms: int, *records: Record) -> None:
        """The venue answers about positions and balances."""
        positions = tuple(
            VenuePosition(
                symbol=symbol, lots=lots, entry_price=self._entry(symbol), mark_price=self._mark[symbol],
                unrealised=self._mark[symbol] * lots / 1_000 - self._cost[symbol], liquidation_price=Decimal(0),
                updated_ms=at_ms,
            )
            for symbol, lots in self._lots.items() if lots
        )  # fmt: skip
        held = tuple(VenueBalance(asset=asset, wallet=amount) for asset, amount in self.wallet.items())
        self.say(at_ms, self._reply(QueryKind.POSITIONS, at_ms, positions=positions, balances=held), *records)

    def income(self, at_ms: int, *records: Record, since_ms: int = 0) -> None:
        """The venue lists its ledger."""
        listed = tuple(row for row in self.incomes if row.at_ms >= since_ms)
        self.say(at_ms, self._reply(QueryKind.INCOME, at_ms, incomes=listed), *records)

    def trades(self, at_ms: int, symbol: str) -> None:
        listed = tuple(
            VenueTrade(
                symbol=symbol, trade_id=f.trade_id, venue_id=f.venue_id, side=f.side, price_ticks=f.price_ticks,
                lots=f.lots, fee=f.fee, fee_asset=f.fee_asset, realised=f.realised, maker=f.maker, at_ms=f.at_ms,
            )
            for f in self.fills if f.symbol == symbol
        )  # fmt: skip
        self.say(at_ms, self._reply(QueryKind.TRADES, at_ms, symbol=symbol, trades=listed))

    def fill(
        self, at_ms: int, symbol: str, trade_id: int, side: Side, price: int, lots: int, level: int,
        *, order: str = "", fee_asset: str = "USDT", maker: bool = True,
    ) -> None:  # fmt: skip
        """A trade of ours, booked as it should be."""
        order = order or f"go1-test-{symbol[0]}{trade_id}"
        realised = self._trade(symbol, side, price, lots)
        fee = Decimal("0.00002500") if fee_asset == "BNB" else (Decimal(price * lots) / 10**4 / 5_000)
        fee = fee.quantize(Decimal("1e-8"))
        self.wallet["USDT"] += realised
        self.wallet[fee_asset] -= fee
        made = Fill(
            symbol=symbol, trade_id=trade_id, client_id=order, venue_id=f"9{trade_id}", side=side, level=level,
            price_ticks=price, lots=lots, fee=fee, fee_asset=fee_asset, realised=realised, maker=maker, at_ms=at_ms,
            decision_mid2=2 * price + 6 * side.sign, intended_ticks=price,
        )  # fmt: skip
        self.fills.append(made)
        for kind, amount, asset in (("REALIZED_PNL", realised, "USDT"), ("COMMISSION", -fee, fee_asset)):
            if amount:
                self._list(kind, symbol, asset, amount, at_ms, str(trade_id))
        sent = Sent(
            op_id=trade_id, kind=OpKind.PLACE, client_id=order, symbol=symbol, level=level, intent="increase",
            price_ticks=price, lots=lots, reduce_only=False,
        )  # fmt: skip
        self.say(at_ms - 900, ViewChanged(view=self._view(symbol, at_ms - 900, price)), sent)
        self.say(at_ms + 5, _report(made), Filled(fill=made, position_lots=self._lots[symbol]))

    def fund(self, at_ms: int, symbol: str, amount: str) -> Booked:
        """The venue takes or pays funding; what should be booked for it."""
        self.wallet["USDT"] += Decimal(amount)
        row = self._list("FUNDING_FEE", symbol, "USDT", Decimal(amount), at_ms, "")
        return Booked(
            kind="funding_fee", asset="USDT", symbol=symbol, amount=row.amount, tran_id=row.tran_id, at_ms=at_ms
        )

    def regime(self, at_ms: int, symbol: str, regime: Regime) -> None:
        changed = RegimeChanged(symbol=symbol, from_regime=Regime.UNKNOWN, to_regime=regime, detail="")
        self.say(at_ms, ViewChanged(view=self._view(symbol, at_ms, 600_000)), changed)

    def mid(self, at_ms: int, symbol: str, price: int) -> None:
        self.say(at_ms, ViewChanged(view=self._view(symbol, at_ms, price)))

    def _view(self, symbol: str, at_ms: int, price: int) -> MarketView:
        return MarketView(
            symbol=symbol, bid_ticks=price - 1, bid_lots=5, ask_ticks=price + 1, ask_lots=5, book_event_ms=at_ms
        )

    def _trade(self, symbol: str, side: Side, price: int, lots: int) -> Decimal:
        """Average entry price, as the venue realises results. The figures used here divide evenly."""
        held, way, value = self._lots[symbol], side.sign, Decimal(price) / 10**4
        closing = min(lots, abs(held)) if held * way < 0 else 0
        entry = self._cost[symbol] / held if held else Decimal(0)
        realised = (value - entry) * closing * -way
        self._cost[symbol] += entry * closing * way + value * (lots - closing) * way
        self._lots[symbol] += lots * way
        return realised.quantize(Decimal("1e-8")) + 0

    def _entry(self, symbol: str) -> Decimal:
        return self._cost[symbol] / self._lots[symbol] * 1_000

    def _list(self, kind: str, symbol: str, asset: str, amount: Decimal, at_ms: int, trade_id: str) -> VenueIncome:
        row = VenueIncome(
            income_type=kind, tran_id=str(9_000 + len(self.incomes)), symbol=symbol, asset=asset, amount=amount,
            at_ms=at_ms, trade_id=trade_id,
        )  # fmt: skip
        self.incomes.append(row)
        return row

    def _reply(self, kind: QueryKind, at_ms: int, **held: Any) -> QueryReply:
        self._queries += 1
        known: dict[str, Any] = {"symbol": "", **held}
        return QueryReply(
            query_id=self._queries, kind=kind, ok=True, code=VenueCode.OK, detail="", started_ms=at_ms,
            ended_ms=at_ms + 20, **known,
        )  # fmt: skip


def _report(fill: Fill) -> OrderReport:
    return OrderReport(
        client_id=fill.client_id, venue_id=fill.venue_id, symbol=fill.symbol, side=fill.side, execution="TRADE",
        status="FILLED", price_ticks=fill.price_ticks, lots=fill.lots, filled_lots=fill.lots, last_lots=fill.lots,
        last_ticks=fill.price_ticks, trade_id=fill.trade_id, fee=fill.fee, fee_asset=fill.fee_asset,
        realised=fill.realised, maker=fill.maker, reduce_only=False, order_type="LIMIT", tif="GTX",
        event_ms=fill.at_ms, trade_ms=fill.at_ms,
    )  # fmt: skip


OPENING = Note(topic="opening_entry", severity=Severity.INFO, detail="wallet USDT 10000")


def traded(*, restart: bool = False) -> Story:
    """A small day: three closed rungs, one flip, one rung left open, BNB fees, funding, two symbols, the same ids."""
    story, at = Story(), START_MS
    story.say(at, boot(1))
    story.read(at + 1_000, OPENING)
    story.regime(at + 2_000, "BTCUSDT", Regime.CALM)
    story.fill(at + 10_000, "BTCUSDT", 101, Side.BUY, 600_000, 2, -1)
    story.fill(at + 11_000, "ETHUSDT", 101, Side.SELL, 30_000, 10, 1)
    story.mid(at + 11_500, "BTCUSDT", 599_900)
    story.fill(at + 15_000, "BTCUSDT", 102, Side.BUY, 598_000, 2, -2)
    paid = story.fund(at + 16_000, "BTCUSDT", "-0.01000000")
    if restart:
        story.say(at + 17_000, boot(2))
        story.read(at + 18_000)
    story.regime(at + 19_000, "BTCUSDT", Regime.TREND)
    story.fill(at + 20_000, "BTCUSDT", 103, Side.SELL, 600_400, 2, 1)
    story.fill(at + 21_000, "ETHUSDT", 102, Side.BUY, 29_990, 10, -1, fee_asset="BNB")
    story.income(at + 22_000, paid)
    story.fill(at + 30_000, "BTCUSDT", 104, Side.SELL, 600_000, 4, 2, maker=False)
    story.mid(at + 60_000, "BTCUSDT", 599_000)
    story.read(at + 120_000)
    story.trades(at + 121_000, "BTCUSDT")
    story.income(at + 122_000)
    story.read(at + 150_000)
    story.income(at + 190_000)
    return story


def write(path: Path, rows: Sequence[Row], plant: Plant = list, *, archived: int = 0, state: bytes = b"") -> None:
    """Put the rows into a journal file; of the first `archived` ones only the checkpoint they led to is left."""
    journal = open_journal(path, account="paper", clock_ms=lambda: START_MS)
    journal.begin_run("run000000001", 7, "0")
    if archived:
        journal.checkpoint(CheckpointRow(archived, START_MS, state, "0" * 64, "0" * 64))
    for seq, (at_ms, event, records) in enumerate(_planted(rows, plant), 1):
        header = Header(seq=seq, wall_ms=at_ms, boot_ns=at_ms * 10**6, boot_id="b", venue_ms=at_ms)
        body = codec.encode_row(header, event, records, [])
        if seq > archived:
            journal.append(JournalRow(seq, at_ms, type(event).__name__, body, False))
    assert journal.flush(20)
    journal.close()


def _planted(rows: Sequence[Row], plant: Plant) -> Iterable[Row]:
    for at_ms, event, records in rows:
        yield at_ms, event, plant(records)


def wrong_fee(records: list[Record]) -> list[Record]:
    """The engine booked one fee a satoshi too low."""
    return [
        replace(said, fill=replace(said.fill, fee=said.fill.fee - Decimal("0.00000001")))
        if isinstance(said, Filled) and (said.fill.symbol, said.fill.trade_id) == ("BTCUSDT", 103)
        else said
        for said in records
    ]


def dropped_funding(records: list[Record]) -> list[Record]:
    return [said for said in records if not isinstance(said, Booked)]


def doubled_fill(records: list[Record]) -> list[Record]:
    """The engine booked one fill twice, position and all."""
    found: list[Record] = []
    for said in records:
        found.append(said)
        if isinstance(said, Filled) and (said.fill.symbol, said.fill.trade_id) == ("ETHUSDT", 102):
            found.append(replace(said, position_lots=said.position_lots + said.fill.lots))
    return found
