"""A journal folds to the same trips whatever order its fills came in, whoever they are mixed with, restarts between."""

import random
from decimal import Decimal

import pytest
from gridops.decide.roundtrip_pairing import Pairing
from gridops.domain.events import Event, Header, OrderReport
from gridops.domain.orders import Fill
from gridops.domain.records import Filled, Record
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
