"""The first config is feasible for every listed symbol and equity, or refused with the equity that would do.

Judged by the venue's own filters on recorded rules, and by the grid the engine would build from the file.
"""

from decimal import Decimal
from pathlib import Path

import pytest
from gridops.config import load
from gridops.domain.instrument import Instrument
from gridops.errors import ConfigError, Refused
from gridops.usecases import init
from gridops.usecases.init import InitOptions, choose
from gridops.usecases.init_text import Wish, text
from gridops.usecases.place import Wanted, find


def instrument(symbol: str, tick: str, step: str, least: str) -> Instrument:
    return Instrument(
        symbol=symbol, settle_asset="USDT", tick_size=Decimal(tick), step_size=Decimal(step),
        min_price_ticks=1, max_price_ticks=10**9, min_lots=1, max_lots=10**9, market_max_lots=10**8,
        min_notional=Decimal(least), percent_up=Decimal("1.05"), percent_down=Decimal("0.95"),
    )  # fmt: skip


def wish(made: Instrument, mark: str, equity: str) -> Wish:
    options = InitOptions(
        symbol=made.symbol, equity=Decimal(equity), venue="paper", market="synthetic:7", output=Path("x.toml")
    )
    return choose(options, made, Decimal(mark))


CASES = [
    ("BTCUSDT", "0.1", "0.001", "100", "65000"),
    ("BTCUSDT", "0.1", "0.001", "50", "118000"),
    ("ETHUSDT", "0.01", "0.001", "20", "3400"),
    ("DOGEUSDT", "0.00001", "1", "5", "0.12"),
    ("1000SHIBUSDT", "0.000001", "1", "5", "0.018"),
]


@pytest.mark.parametrize("equity", ["150", "300", "1000", "5000", "250000"])
@pytest.mark.parametrize(("symbol", "tick", "step", "least", "mark"), CASES)
def test_every_rung_is_legal_and_the_side_fits(
    symbol: str, tick: str, step: str, least: str, mark: str, equity: str, tmp_path: Path
) -> None:
    made = instrument(symbol, tick, step, least)
    chosen = wish(made, mark, equity)
    file = tmp_path / "gridops.toml"
    file.write_text(text(chosen))
    settings = load(file=file, environment={}).settings
    grid, risk = settings.grid, settings.risk
    budget = Decimal(equity) * grid.rung_fraction
    lots = max(budget // (Decimal(mark) * Decimal(step)), Decimal(1))
    rung = lots * Decimal(step) * Decimal(mark)
    lowest = Decimal(mark) * (1 - grid.spacing_bps * grid.levels / 10_000)
    assert chosen.rung_low <= chosen.rung <= chosen.rung_high
    assert chosen.rung / Decimal(mark) * lowest >= Decimal(least), "a far rung is below the venue's minimum"
    assert chosen.rung * grid.levels <= risk.symbol_cap == Decimal(equity)
    assert chosen.rung <= risk.max_order_notional <= risk.symbol_cap
    assert chosen.rung >= rung.quantize(Decimal("0.01")), "smaller than the share of equity it names"


def test_too_little_is_refused_with_what_would_do() -> None:
    made = instrument("BTCUSDT", "0.1", "0.001", "100")
    with pytest.raises(ConfigError) as refused:
        wish(made, "65000", "20")
    words = (refused.value.hint or "").split()
    enough = words[words.index("from") + 1]
    assert wish(made, "65000", enough).levels == 1


def test_a_file_that_stands_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "gridops.toml"
    file.write_text("mine")
    where = find(Wanted(), {}, tmp_path)
    options = InitOptions(symbol="BTCUSDT", equity=Decimal(5_000), venue="paper", market="synthetic:7", output=file)
    with pytest.raises(Refused):
        init.execute(where, options)
    assert file.read_text() == "mine"
