"""Rung round trips partition the fills, split at zero, and come out alike whatever the thread's rounding is."""

import decimal
import random
from decimal import Decimal

import pytest
from gridops.decide import roundtrip
from gridops.decide.roundtrip import TripBook
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Fill
from gridops.domain.records import TripClosed
from gridops.domain.vocabulary import Side

BTC = Instrument(
    symbol="BTCUSDT",
    settle_asset="USDT",
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_price_ticks=1,
    max_price_ticks=10**8,
    min_lots=1,
    max_lots=10**6,
    market_max_lots=10**5,
    min_notional=Decimal(100),
    percent_up=Decimal("1.05"),
    percent_down=Decimal("0.95"),
)


def _fill(trade_id: int, side: Side, level: int, price: int, lots: int, order: str = "") -> Fill:
    return Fill(
        symbol="BTCUSDT",
        trade_id=trade_id,
        client_id=order or f"o{trade_id}",
        venue_id=str(trade_id),
        side=side,
        level=level,
        price_ticks=price,
        lots=lots,
        fee=BTC.notional(price, lots) * Decimal("0.0002"),
        fee_asset="USDT",
        realised=Decimal(0),
        maker=True,
        at_ms=trade_id * 1_000,
        intended_ticks=price,
    )


def _book(fills: list[Fill]) -> tuple[TripBook, list[TripClosed]]:
    book, trips = TripBook(), []
    for fill in fills:
        trips += roundtrip.apply(book, fill, BTC)
    return book, trips


def _random_fills(seed: int, count: int = 200) -> list[Fill]:
    chance = random.Random(seed)
    fills = []
    for number in range(1, count + 1):
        level = chance.choice([-3, -2, -1, 1, 2, 3])
        side = Side.BUY if level < 0 else Side.SELL
        order = f"order{chance.randrange(60)}{side}"
        fills.append(_fill(number, side, level, 600_000 + chance.randrange(-500, 500), chance.randrange(1, 9), order))
    return fills


@pytest.mark.parametrize("seed", range(20))
def test_every_lot_is_in_one_trip_or_still_open_and_money_adds_up(seed: int) -> None:
    fills = _random_fills(seed)
    book, trips = _book(fills)
    position = sum(fill.lots * fill.side.sign for fill in fills)
    assert book.open_lots() == position
    opened = sum(trip.lots for trip in trips) + sum(lot.lots for lot in book.lots)
    closed = sum(trip.lots for trip in trips) + sum(lot.closed_lots for lot in book.lots)
    assert opened + closed == sum(fill.lots for fill in fills)
    # Independent of how lots are paired: cash in and out of all fills, open inventory at its own entry cost.
    cash = sum((BTC.notional(f.price_ticks, f.lots) * -f.side.sign for f in fills), start=Decimal(0))
    open_flow = sum(
        (BTC.unit * (lot.exit_units - lot.entry_units) * lot.side.sign for lot in book.lots), start=Decimal(0)
    )
    assert sum((trip.gross for trip in trips), start=Decimal(0)) + open_flow == cash
    fees = sum((trip.fees for trip in trips), start=Decimal(0)) + sum((lot.fees for lot in book.lots), start=Decimal(0))
    assert abs(fees - sum((fill.fee for fill in fills), start=Decimal(0))) < Decimal("1e-20")


def test_a_flip_is_split_at_zero() -> None:
    book, trips = _book([_fill(1, Side.BUY, -1, 600_000, 2), _fill(2, Side.SELL, 1, 600_100, 5)])
    assert [(trip.lots, trip.gross) for trip in trips] == [(2, Decimal("0.0200"))]
    assert [(lot.side, lot.remaining) for lot in book.lots] == [(Side.SELL, 3)]


def test_a_closing_fill_takes_its_own_cell_first() -> None:
    book, trips = _book(
        [
            _fill(1, Side.BUY, -1, 600_000, 2),
            _fill(2, Side.BUY, -2, 599_000, 2),
            _fill(3, Side.SELL, 2, 600_500, 2),
        ]
    )
    assert [(trip.level, trip.entry_ticks_x_lots) for trip in trips] == [(-2, 599_000 * 2)]
    assert [lot.level for lot in book.lots] == [-1]


def test_funding_is_shared_by_size_and_adds_up() -> None:
    book, _ = _book([_fill(1, Side.BUY, -1, 600_000, 1), _fill(2, Side.BUY, -2, 599_000, 2)])
    roundtrip.fund(book, Decimal("-0.00000010"))
    assert [lot.funding for lot in book.lots] == [Decimal("-0.00000003"), Decimal("-0.00000007")]


def test_a_foreign_fee_is_flagged_and_never_counted_as_quote() -> None:
    paid = _fill(1, Side.BUY, -1, 600_000, 1)
    foreign = Fill(**{name: getattr(paid, name) for name in Fill.__slots__} | {"fee_asset": "BNB"})  # type: ignore[attr-defined]
    _, trips = _book([foreign, _fill(2, Side.SELL, 1, 600_100, 1)])
    assert trips[0].unvalued_fee
    assert trips[0].fees == BTC.notional(600_100, 1) * Decimal("0.0002")


def test_the_threads_rounding_changes_nothing() -> None:
    def told(mode: str) -> list[object]:
        with decimal.localcontext() as context:
            context.rounding = mode
            # Two equal lots and one smallest unit of funding, a net of half a basis point: ties, both.
            book, _ = _book([_fill(1, Side.BUY, -1, 600_000, 1), _fill(2, Side.BUY, -2, 600_000, 1)])
            roundtrip.fund(book, Decimal("0.00000001"))
            entry, leave = _fill(3, Side.BUY, -1, 600_000, 1), _fill(4, Side.SELL, 1, 600_030, 1)
            free = [
                Fill(**{name: getattr(fill, name) for name in Fill.__slots__} | {"fee": Decimal(0)})  # type: ignore[attr-defined]
                for fill in (entry, leave)
            ]
            _, trips = _book(free)
            return [trips, [lot.funding for lot in book.lots]]

    assert told(decimal.ROUND_HALF_EVEN) == told(decimal.ROUND_HALF_UP) == told(decimal.ROUND_UP)
