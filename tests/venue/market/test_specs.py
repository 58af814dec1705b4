"""Trading rules come from the bundled table where its tick and step fit the numbers, else from the numbers."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from gridops.venue.market.specs import BadNumber, Scale, bundled, rules_for


def test_the_table_says_what_exchange_info_said(shared_data: Path) -> None:
    path = shared_data / "market" / "binance_usdm" / "reference" / "exchangeInfo_202503_symbols_half.json.gz"
    listed = json.loads(gzip.decompress(path.read_bytes()))
    rows = {row["symbol"]: row for row in (listed if isinstance(listed, list) else listed["symbols"])}
    for symbol in ("BTCUSDT", "ETHUSDT", "XRPUSDT", "1000PEPEUSDT", "BTCUSDC"):
        filters = {entry["filterType"]: entry for entry in rows[symbol]["filters"]}
        spec = bundled(symbol)
        assert spec is not None
        assert spec.tick_size == Decimal(filters["PRICE_FILTER"]["tickSize"])
        assert spec.step_size == Decimal(filters["LOT_SIZE"]["stepSize"])
        assert spec.market_max_qty == Decimal(filters["MARKET_LOT_SIZE"]["maxQty"])
        assert spec.min_notional == Decimal(filters["MIN_NOTIONAL"]["notional"])
        assert spec.multiplier_up == Decimal(filters["PERCENT_PRICE"]["multiplierUp"])
        assert spec.price_precision == int(rows[symbol]["pricePrecision"])


def test_two_printed_decimals_do_not_make_a_finer_tick() -> None:
    spec, warning = rules_for("BTCUSDT", ["28145.10", "28145.20"], ["0.002"])
    assert (spec.tick_size, warning) == (Decimal("0.1"), None)


def test_finer_numbers_than_the_table_are_believed_and_said() -> None:
    spec, warning = rules_for("BTCUSDT", ["32145.11", "28145.20"], ["0.002"])
    assert spec.tick_size == Decimal("0.01")
    assert spec.min_notional == 100
    assert warning is not None


@pytest.mark.parametrize(
    ("prices", "quantities", "tick", "step"),
    [
        (["7.6110", "7.6080"], ["6", "161"], "0.001", "1"),
        (["0.01731", "0.01730"], ["57618", "200"], "0.00001", "1"),
        (["100", "2300"], ["0.5", "1.25"], "1", "0.01"),
    ],
)
def test_an_unknown_symbol_gets_the_grain_of_its_numbers(
    prices: list[str], quantities: list[str], tick: str, step: str
) -> None:
    spec, warning = rules_for("NEWUSDT", prices, quantities)
    assert (spec.tick_size, spec.step_size) == (Decimal(tick), Decimal(step))
    assert (spec.base_asset, spec.quote_asset) == ("NEW", "USDT")
    assert warning is not None


def test_a_scale_is_exact_and_refuses_everything_else() -> None:
    scale = Scale(Decimal("0.1"), zero_allowed=False)
    assert scale["63959.90"] == 639_599
    for text in ("", "-1", "0", "0.00", "0.15", "1e3", "NaN", "Infinity", " 1", "1_000", "٣", "1.", "9" * 40):
        with pytest.raises(BadNumber):
            scale[text]
    assert Scale(Decimal("0.001"), zero_allowed=True)["0.000"] == 0
