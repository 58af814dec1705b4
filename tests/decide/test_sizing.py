"""A rung is a share of equity inside what the venue and the caps allow, and an empty interval is said in money."""

from dataclasses import replace
from decimal import Decimal

from gridops.decide.router_cases import context
from gridops.decide.sizing import Infeasible, feasible_lots, rung_lots
from gridops.domain.rules import GridRules

BTC = replace(context().instrument, min_notional=Decimal(100), max_lots=1_000_000)
"""Tick 0.1, step 0.001: one unit is 0.0001 USDT. At 600,000 ticks one lot is worth 60 USDT."""
PRICE = 600_000


def test_the_interval_is_the_venues_minimum_and_the_share_of_the_cap() -> None:
    cap_units = BTC.units(Decimal(20_000))
    assert feasible_lots(BTC, PRICE, cap_units, 10) == (2, 33)
    assert feasible_lots(BTC, PRICE, cap_units, 10, max_order_units=BTC.units(Decimal(600))) == (2, 10)


def test_one_percent_of_equity_is_a_rung() -> None:
    got = rung_lots(Decimal(100_000), GridRules(), BTC, PRICE, cap_units=BTC.units(Decimal(20_000)))
    assert got == 16, "1,000 USDT are 16 whole lots of 60"


def test_a_fixed_notional_overrules_the_share() -> None:
    rules = GridRules(rung_notional=Decimal(300))
    assert rung_lots(Decimal(1), rules, BTC, PRICE, cap_units=BTC.units(Decimal(20_000))) == 5


def test_the_ideal_is_held_inside_the_interval() -> None:
    cap_units = BTC.units(Decimal(20_000))
    poor = rung_lots(Decimal(100), GridRules(), BTC, PRICE, cap_units=cap_units)
    rich = rung_lots(Decimal(10_000_000), GridRules(), BTC, PRICE, cap_units=cap_units)
    assert (poor, rich) == (2, 33)


def test_the_size_stays_until_the_ideal_is_a_fifth_off() -> None:
    cap_units = BTC.units(Decimal(20_000))

    def size(equity: int, current: int) -> int | Infeasible:
        return rung_lots(Decimal(equity), GridRules(), BTC, PRICE, cap_units=cap_units, current_lots=current)

    assert size(72_000, 10) == 10
    assert size(78_000, 10) == 13
    assert size(42_000, 10) == 7


def test_a_cap_too_small_for_the_minimum_names_both_ends() -> None:
    got = rung_lots(Decimal(100_000), GridRules(), BTC, PRICE, cap_units=BTC.units(Decimal(900)))
    assert isinstance(got, Infeasible)
    assert (got.low_lots, got.high_lots) == (2, 1)
    assert got.low_notional == Decimal(120)
    assert got.high_notional == Decimal(60)
    assert "120" in got.reason and "60" in got.reason
