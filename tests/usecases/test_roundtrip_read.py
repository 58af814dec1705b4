"""A journal folds to the same trips whatever order its fills came in, whoever they are mixed with, restarts between."""

import random
from decimal import Decimal

import pytest
from gridops.decide.roundtrip_pairing import Pairing
from gridops.domain.events import Event, Header, OrderReport
from gridops.domain.orders import Fill
from gridops.domain.records import Booked, Filled, Record
from gridops.domain.vocabulary import Side
from gridops.errors import JournalError
from gridops.runtime import codec
from gridops.runtime.ports_journal import InputRow
from gridops.usecases import roundtrip_read
from gridops.usecases.roundtrip_read import Fold
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decide.roundtrip_kit import START_MS, Made, columns, flows
from tests.effort import examples
from tests.usecases.roundtrip_journal import SYMBOLS, boot, instrument


def _row(seq: int, event: Event, *records: Record) -> InputRow:
    header = Header(seq=seq, wall_ms=START_MS + seq, boot_ns=seq, boot_id="b", venue_ms=START_MS + 10**6)
    return InputRow(seq, header.wall_ms, type(event).__name__, codec.encode_row(header, event, list(records), []))


def _fill(symbol: str, each: Made) -> Fill:
    return Fill(
        symbol=symbol, trade_id=each.trade_id, client_id=f"{symbol}-{each.order}" if each.order else "", venue_id="",
        side=Side.BUY if each.sign > 0 else Side.SELL, level=each.level, price_ticks=each.price, lots=each.lots,
        fee=Decimal(each.fee_e8).scaleb(-8), fee_asset=each.fee_asset, realised=Decimal(0), maker=each.maker,
        at_ms=each.at_ms, decision_mid2=each.mid2, intended_ticks=each.intended,
    )  # fmt: skip


def _report(fill: Fill) -> OrderReport:
    return OrderReport(
        client_id=fill.client_id, venue_id="", symbol=fill.symbol, side=fill.side, execution="TRADE", status="FILLED",
        price_ticks=fill.price_ticks, lots=fill.lots, filled_lots=fill.lots, last_lots=fill.lots,
        last_ticks=fill.price_ticks, trade_id=fill.trade_id, fee=fill.fee, fee_asset=fill.fee_asset,
        realised=fill.realised, maker=fill.maker, reduce_only=False, order_type="LIMIT", tif="GTX",
        event_ms=fill.at_ms, trade_ms=fill.at_ms,
    )  # fmt: skip


@settings(max_examples=examples(60), deadline=None)
@given(
    flow=st.tuples(flows(20), flows(20)), seed=st.integers(0, 1 << 30), batch=st.integers(1, 3), chunk=st.integers(1, 5)
)
def test_arrival_mixture_batches_and_restarts_change_no_trip(
    flow: tuple[list[Made], list[Made]], seed: int, batch: int, chunk: int
) -> None:
    chance = random.Random(seed)
    arriving = [(symbol, each) for symbol, made in zip(SYMBOLS, flow, strict=True) for each in made]
    chance.shuffle(arriving)
    fold, position, seq = Fold("paper"), dict.fromkeys(SYMBOLS, 0), 1
    fold.take(_row(1, boot(1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roundtrip_read, "CHUNK", chunk)
        while arriving:
            portion, arriving = arriving[:batch], arriving[batch:]
            said = []
            for symbol, each in portion:
                position[symbol] += each.sign * each.lots
                said.append(Filled(fill=_fill(symbol, each), position_lots=position[symbol]))
            seq += 1
            fold.take(_row(seq, _report(said[0].fill), *said))
            if chance.random() < 0.1:
                seq += 1
                fold.take(_row(seq, boot(2)))
        history = fold.result()
    for symbol, made in zip(SYMBOLS, flow, strict=True):
        ours = [_said(trip) for trip in Pairing(history.fills[symbol]).run()]
        theirs = [_said(trip) for trip in Pairing(columns(made, of=instrument(symbol))).run()]
        assert ours == theirs
    assert history.doubles == []


def _said(trip: object) -> tuple[object, ...]:
    names = (
        "trip_id", "level", "policy", "entry_ms", "exit_ms", "lots", "gross", "fee_e8", "other_fees",
        "slip_level_units", "slip_mid2_units", "entry_maker_lots", "close_reason",
    )  # fmt: skip
    return tuple(getattr(trip, name) for name in names)


def test_a_row_that_cannot_be_read_is_named() -> None:
    fold = Fold("paper")
    fold.take(_row(1, boot(1)))
    with pytest.raises(JournalError, match="row 2"):
        fold.take(InputRow(2, 0, "OrderReport", b"[{"))


def test_a_position_taken_over_is_an_entry_of_its_own_and_is_not_found_twice() -> None:
    fold = Fold("paper")
    fold.take(_row(1, boot(1)))
    bought, sold = Made(1, START_MS, 1, 600_000, 2, -1, 1), Made(2, START_MS + 9, -1, 600_100, 5, 1, 2)
    fold.take(_row(2, *_filled(bought, 2)))
    taken = Booked(
        kind="unattributed",
        asset="USDT",
        symbol="BTCUSDT",
        amount=Decimal(0),
        tran_id="unattributed-a-3",
        at_ms=START_MS + 5,
    )
    # Spelt in the row's own bytes, so that it reads alike whether or not the record knows the two fields yet.
    at = b'"at_ms":%d' % taken.at_ms
    row = _row(3, *_filled(bought, 2)[:1], taken)
    body = row.body.replace(at + b',"lots":0,"price_ticks":0', at).replace(at, at + b',"lots":3,"price_ticks":600050')
    fold.take(row._replace(body=body))
    fold.take(_row(4, *_filled(sold, 0)))
    fills = fold.result().fills["BTCUSDT"]
    assert list(zip(fills.trade_id, fills.sign, fills.lots, fills.price, strict=True)) == [
        (1, 1, 2, 600_000), (-1, 1, 3, 600_050), (2, -1, 5, 600_100),
    ]  # fmt: skip
    closed = [trip for trip in Pairing(fills).run() if not trip.episode]
    assert [(trip.policy, trip.lots, trip.close_reason) for trip in closed] == [
        ("grid", 2, "grid"),
        ("unattributed", 3, "grid"),
    ]


def _filled(each: Made, position: int) -> tuple[OrderReport, Filled]:
    fill = _fill("BTCUSDT", each)
    return _report(fill), Filled(fill=fill, position_lots=position)
