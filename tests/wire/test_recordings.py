"""The engine trades real recorded flow, and afterwards journal and venue tell one story."""

from pathlib import Path
from typing import Any

import pytest
from tests.wire.harness import Bench, assert_truth

pytestmark = pytest.mark.wire


def _trade(tmp_path: Path, market: str, symbol: str, speed: str, within_s: float) -> dict[str, Any]:
    """Run to the end of the recording, judge by the oracle, and give the report."""
    settings = {"GRIDOPS_VENUE__MARKET": market, "GRIDOPS_GRID__SYMBOLS": symbol}
    with Bench(tmp_path, speed=speed, **settings) as bench:
        engine = bench.start(active=False)
        code, report = engine.finish(within_s)
        assert code == 0, engine.errors()
        assert_truth(bench, symbol)
        summary = bench.venue.summary()
        print(
            f"{symbol} x{speed}: fills {report['fills']}, trips {report['roundtrips']}, "
            f"decisions {report['decisions']}, "
            f"net of fees {report['net']}, requests {summary['requests']}"
        )
    return report


@pytest.mark.timeout(180)
def test_the_2023_recording_is_traded_to_its_end_and_the_books_agree(tmp_path: Path, shared_data: Path) -> None:
    raw = shared_data / "market/binance_usdm/raw_ws"
    report = _trade(tmp_path, f"recorded:{raw}/btcusdt_20230404.jsonl_ts.gz", "BTCUSDT", "4", 120)
    assert report["outcome"] == "stopped"
    assert report["states"][-1] == "STOPPING"
    assert "noop" in report["decisions"]


@pytest.mark.nightly
@pytest.mark.timeout(700)
@pytest.mark.parametrize(
    ("files", "symbol", "lively"),
    [
        (("btcusdt_20240718", "btcusdt_20240719"), "BTCUSDT", True),
        (("ethusdt_20240718",), "ETHUSDT", False),
        (("btcusdt_20230404",), "BTCUSDT", False),
    ],
)
def test_every_recording_is_traded_in_real_time(
    tmp_path: Path, shared_data: Path, files: tuple[str, ...], symbol: str, lively: bool
) -> None:
    raw = shared_data / "market/binance_usdm/raw_ws"
    paths = ",".join(str(raw / f"{name}.jsonl_ts.gz") for name in files)
    report = _trade(tmp_path, f"recorded:{paths}", symbol, "1", 650)
    assert set(report["decisions"]) == {"amend", "cancel_replace", "noop"}
    if lively:
        assert report["fills"] > 0
        assert report["roundtrips"] > 0
        reasons = report["decisions"]["cancel_replace"]
        assert reasons.keys() & {"immutable_field", "target_at_or_below_filled", "post_only_would_cross"}
