"""The round trips and the books of real runs, against the oracle's own fills and income rows."""

import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.home import Home, Located
from gridops.adapters.journal_reader import JournalReader
from gridops.domain.instrument import Instrument
from gridops.domain.records import Filled
from gridops.runtime import codec
from gridops.usecases import roundtrip
from gridops.usecases.place import Place
from gridops.usecases.roundtrip import Report, Wanted
from tests.decide.roundtrip_kit import Made, SlowTrip, slow_episodes, slow_rungs
from tests.wire.harness import ACCOUNT, SYMBOL, Bench, Engine

pytestmark = pytest.mark.wire

QUIET_S = 1.5
ONE_E8 = Decimal("1e-8")


def _place(bench: Bench) -> Place:
    located = Located(home=Home(bench.home), source="option")
    return Place(located=located, account=ACCOUNT, config=None, evidence_root=bench.home / "evidence")


def _settle(bench: Bench, engine: Engine) -> None:
    """Stop quoting, let the wallet be read in quiet, and have the income listed after that."""
    engine.ask("pause", reason="the books are closed")
    time.sleep(QUIET_S)
    since = bench.last_request()

    def read() -> bool:
        return any(each["path"].endswith("/positionRisk") for each in bench.requests(since))

    engine.wait(read, 60.0, "no read of positions and balances")
    time.sleep(QUIET_S)
    # Money from outside makes the engine list the income at once; the row itself waits for the next tie-out.
    bench.venue.command("transfer", {"asset": "USDT", "amount": "25"})
    time.sleep(QUIET_S)


def _oracle_fills(bench: Bench, truth: dict[str, Any], symbol: str, instrument: Instrument) -> list[Made]:
    """The venue's fills; what it does not know, the rung an order stood on at that time, comes from the journal."""
    with JournalReader(Home(bench.home).journal(ACCOUNT)) as reader:
        ours = {each.client_id for each in reader.orders()}
        booked = [row.body for row in reader.rows(0, 10**12) if b'"Filled"' in row.body]
    said = [record for body in booked for record in codec.records_of(codec.decode_row(body))]
    # A moving ladder renumbers its orders: the rung at the end need not be that of the fill.
    levels = {each.fill.trade_id: each.fill.level for each in said if isinstance(each, Filled)}
    names = {each["orderId"]: each["clientOrderId"] for each in truth["orders"]}
    fills = sorted((each for each in truth["fills"] if each["symbol"] == symbol), key=lambda each: int(each["id"]))
    return [
        Made(
            int(each["id"]), each["time"], 1 if each["side"] == "BUY" else -1,
            instrument.exact_ticks(Decimal(each["price"])), instrument.exact_lots(Decimal(each["qty"])),
            levels[int(each["id"])], each["orderId"] if names[each["orderId"]] in ours else 0,
            fee_e8=int(Decimal(each["commission"]) * 10**8), maker=each["maker"],
        )
        for each in fills
    ]  # fmt: skip


def _gross(trips: Sequence[SlowTrip], fills: Sequence[Made], instrument: Instrument) -> Decimal:
    """Of closed trips, lot by lot."""
    price = {each.trade_id: each.price for each in fills}
    units = sum(
        trip.sign * (sum(price[trade] for trade, _ in trip.exits) - sum(price[trade] for trade, _ in trip.entries))
        for trip in trips
    )
    return instrument.unit * units


def _judge(bench: Bench, symbol: str = SYMBOL) -> Report:
    """Nothing but the oracle and the journal's inputs on one side, the report on the other."""
    place, truth = _place(bench), bench.truth()
    found = roundtrip.report(place, Wanted(rates={}))
    _, history = roundtrip.load(place, lambda _done, _total: None)
    instrument = history.fills[symbol].instrument
    fills = _oracle_fills(bench, truth, symbol, instrument)
    assert found.source.fills == len(fills)
    for of, slow in (("rung", slow_rungs(fills)), ("episode", slow_episodes(fills))):
        assert found.totals[of].trips == len(slow[0]), of
        assert found.open_trips[of] == len(slow[1]), of
        assert found.totals[of].gross == _gross(slow[0], fills, instrument), of
        ours = [t for t in roundtrip.all_trips(history) if t.episode is (of == "episode") and t.close_reason]
        assert Counter(tuple(sorted(set(t.fill_ids()))) for t in ours) == Counter(
            tuple(sorted({trade for trade, _ in (*trip.entries, *trip.exits)})) for trip in slow[0]
        )
    paid = sum(t.fee_e8 for t in roundtrip.all_trips(history) if not t.episode)
    assert paid == sum(each.fee_e8 for each in fills)
    assert found.findings == (), found.findings
    assert found.tieout.status == "ok", found.tieout
    assert found.tieout.days
    for day in found.tieout.days:
        rows = [r for r in truth["income"] if r["asset"] == day.asset and day.from_ms <= r["time"] < day.to_ms]
        listed = sum((Decimal(r["income"]) for r in rows), start=Decimal(0))
        assert day.residual == 0 and abs(day.wallet - listed) <= ONE_E8 and abs(day.ledger - listed) <= ONE_E8
    assert [law.ok for law in found.law] == [True]
    print(
        f"{symbol}: {len(fills)} fills, {found.totals['rung'].trips} rungs, {found.totals['episode'].trips} episodes, "
        f"net {found.totals['rung'].net}, residual {[str(d.residual) for d in found.tieout.days]}, "
        f"unattributed {found.law[0].unattributed} of {found.law[0].equity_change}, waiting {found.tieout.waiting}"
    )
    return found


@pytest.mark.timeout(240)
def test_a_run_with_funding_transfers_and_a_crash_ties_out_to_the_oracle(tmp_path: Path) -> None:
    with Bench(tmp_path, speed="5") as bench:
        first = bench.start()
        first.wait(lambda: bench.fills() >= 6, 60.0, "fills")
        live = roundtrip.report(_place(bench), Wanted(rates={}))
        assert live.source.process == "live" and live.source.fills >= 5
        first.kill()
        engine = bench.start()
        so_far = bench.fills()
        bench.venue.fault("venue.funding", selector={"symbol": SYMBOL}, args={"rate": "0.0004"})
        bench.venue.command("transfer", {"asset": "USDT", "amount": "-40"})
        engine.wait(lambda: bench.fills() >= so_far + 6, 60.0, "fills after the crash")
        _settle(bench, engine)
        engine.stop()
        found = _judge(bench)
        kinds = {row["incomeType"] for row in bench.truth()["income"]}
        assert "TRANSFER" in kinds
        assert found.law[0].other.get("TRANSFER") == Decimal(-40)
        assert found.tieout.waiting >= 1, "the last transfer is newer than what was compared"


def _recorded(tmp_path: Path, market: str, symbol: str, speed: str, run_s: float) -> Report:
    settings = {"GRIDOPS_VENUE__MARKET": market, "GRIDOPS_GRID__SYMBOLS": symbol}
    with Bench(tmp_path, speed=speed, **settings) as bench:
        engine = bench.start()
        began_s = time.monotonic()
        engine.wait(lambda: time.monotonic() - began_s > run_s, run_s + 30, "time")
        _settle(bench, engine)
        engine.stop()
        return _judge(bench, symbol)


@pytest.mark.nightly
@pytest.mark.timeout(200)
def test_a_stretch_of_the_bitcoin_recording_ties_out(tmp_path: Path, shared_data: Path) -> None:
    raw = shared_data / "market/binance_usdm/raw_ws"
    _recorded(tmp_path, f"recorded:{raw}/btcusdt_20240719.jsonl_ts.gz", "BTCUSDT", "2", 20.0)


@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("file", "symbol", "run_s"),
    [
        ("btcusdt_20240719", "BTCUSDT", 240.0),
        ("btcusdt_20240718", "BTCUSDT", 120.0),
        ("ethusdt_20240718", "ETHUSDT", 120.0),
    ],
)
def test_a_recording_ties_out(tmp_path: Path, shared_data: Path, file: str, symbol: str, run_s: float) -> None:
    raw = shared_data / "market/binance_usdm/raw_ws"
    _recorded(tmp_path, f"recorded:{raw}/{file}.jsonl_ts.gz", symbol, "1", run_s)
