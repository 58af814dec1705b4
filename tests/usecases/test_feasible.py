"""A configuration that could never place a legal rung is refused with the interval that could."""

from decimal import Decimal

import pytest
from gridops import config
from gridops.domain.instrument import Instrument
from gridops.errors import ConfigError
from gridops.usecases import feasible

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


def _settings(**options: object) -> config.Settings:
    return config.load(file=None, environment={}, options=options).settings


def test_defaults_are_feasible() -> None:
    feasible.check(_settings(), [BTC])


@pytest.mark.parametrize("key", ["symbol_cap", "max_order_notional"])
def test_a_cap_below_the_minimum_notional_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"risk\.{key} = 99") as refused:
        feasible.check(_settings(**{f"risk.{key}": Decimal(99)}), [BTC])
    assert "at least 100" in str(refused.value.hint)


@pytest.mark.parametrize("rung", [Decimal(99), Decimal(5_001)])
def test_a_fixed_rung_outside_the_interval_is_refused_with_it(rung: Decimal) -> None:
    with pytest.raises(ConfigError, match=r"grid\.rung_notional") as refused:
        feasible.check(_settings(**{"grid.rung_notional": rung}), [BTC])
    assert "100 to 5000" in str(refused.value.hint)


def test_a_symbol_that_is_not_trading_is_refused() -> None:
    halted = Instrument(**{name: getattr(BTC, name) for name in BTC.__slots__} | {"trading": False})  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"grid\.symbols names BTCUSDT"):
        feasible.check_symbols([halted])
