"""Cash and quantity are conserved after every event: fills, fees in BNB, funding, transfers, liquidation, deleveraging.

The sums are made here from fills and income rows alone, in exact fractions; the core's own figures are only compared.
"""

import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from gridops.venue.core import VenueError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.venue.core_kit import Desk
from tests.venue.test_core_reference import SPEC

pytestmark = pytest.mark.simulation

EXACT = Fraction(1, 10**8)
FINE = replace(SPEC, tick_size=Decimal("0.1"), step_size=Decimal("0.001"), min_qty=Decimal("0.001"),
               min_price=Decimal("0.1"), price_precision=1, quantity_precision=3)  # fmt: skip
OWNERS = ("rich", "poor")


class Ledger:
    """A desk under random events, and what its fills and rows say by hand."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.desk = Desk(FINE, wallet="40", accounts=OWNERS)
        self.desk.core.transfer("rich", "USDT", Decimal(1_000_000))
        for owner in OWNERS:
            self.desk.core.transfer(owner, "BNB", Decimal("0.01"))
        self.mid = 1_000
        self.move()
        self.desk.mark("100")

    def move(self) -> None:
        self.mid = max(self.mid + self.chance.randint(-30, 30), 300)
        bids = [(self.mid - 1 - i, self.chance.randint(1, 9_000)) for i in range(5)]
        self.desk.book(bids, [(self.mid + i, self.chance.randint(1, 9_000)) for i in range(5)])

    def crash(self) -> None:
        """Book and mark jump by two fifths, up or down."""
        self.mid = self.mid * 3 // 5 if self.mid > 800 else self.mid * 7 // 5
        self.move()
        self.desk.mark(f"{self.mid / 10:.1f}")

    def step(self) -> str:
        """One random event; refusals are part of it."""
        chance, owner = self.chance, self.chance.choice(OWNERS)
        side, quantity = chance.choice(["BUY", "SELL"]), f"{chance.randint(1, 5_000) / 1000:.3f}"
        price = f"{(self.mid + chance.randint(-8, 8)) / 10:.1f}"
        core, asset = self.desk.core, chance.choice(["USDT", "BNB"])
        events: dict[str, Any] = {
            "market": lambda: self.desk.place(side, quantity, None, owner),
            "limit": lambda: self.desk.place(side, quantity, price, owner),
            "cancel": lambda: self.desk.call("DELETE", "v1/allOpenOrders", owner),
            "move": self.move,
            "tape": lambda: self.desk.tape(self.mid + chance.randint(-5, 5), 500, seller=side == "BUY"),
            "mark": lambda: self.desk.mark(f"{self.mid / 10 + chance.randint(-90, 90) / 10:.7f}"),
            "funding": lambda: core.interfere("fund_now", "BTCUSDT", Decimal(chance.randint(-75, 75)) / 10_000),
            "burn": lambda: self.desk.call("POST", "v1/feeBurn", owner, feeBurn=chance.choice(["true", "false"])),
            "bnb": lambda: core.set_asset_price("BNB", Decimal(chance.randint(300, 900))),
            "transfer": lambda: core.transfer(owner, asset, Decimal(chance.randint(-2, 9)) / 7),
            "crash": self.crash,
            "adl": lambda: core.interfere("deleverage", "BTCUSDT", chance.randint(1, 300), account=owner),
            "liquidate": lambda: core.interfere("liquidate", "BTCUSDT", account=owner),
            "later": lambda: core.advance(core.now_ms + 8 * 3_600_000),
        }  # fmt: skip
        name = chance.choice([*events, "market", "market", "limit", "limit", "move"])
        try:
            events[name]()
        except VenueError:
            return f"{name} refused"
        return name

    def check(self) -> None:
        """Per account: cash, quantity, wallets."""
        truth = self.desk.core.truth()
        assert truth["violations"] == []
        for owner in OWNERS:
            account = truth["accounts"][owner]
            fills = [row for row in truth["fills"] if row["account"] == owner]
            rows = [row for row in truth["income"] if row["account"] == owner]
            signed = [
                (Fraction(row["qty"]) * (1 if row["side"] == "BUY" else -1), Fraction(row["price"])) for row in fills
            ]
            held = account["positions"].get("BTCUSDT", {"amount": "0", "entry": "0"})
            assert sum((lots for lots, _price in signed), Fraction()) == Fraction(held["amount"])
            for asset, wallet in account["wallet"].items():
                total = sum((Fraction(row["income"]) for row in rows if row["asset"] == asset), Fraction())
                assert Fraction(wallet) == Fraction(account["opening"].get(asset, "0")) + total
            spent = sum((lots * price for lots, price in signed), Fraction())
            other = sum(
                (
                    Fraction(row["income"])
                    for row in rows
                    if row["asset"] == "USDT" and row["incomeType"] != "REALIZED_PNL"
                ),
                Fraction(),
            )
            worth = Fraction(account["wallet"]["USDT"]) - Fraction(account["opening"]["USDT"]) - other
            entry = self.desk.core._world.accounts[owner].position("BTCUSDT").entry
            assert abs(worth - Fraction(entry) * Fraction(held["amount"]) + spent) <= EXACT
            fees = {row["tradeId"]: Fraction(row["income"]) for row in rows if row["incomeType"] == "COMMISSION"}
            assert all(fees.get(str(row["id"]), Fraction()) == -Fraction(row["commission"]) for row in fills)


def live(seed: object, steps: int) -> set[str]:
    """A sequence of events, checked after each; which kinds took place."""
    ledger = Ledger(random.Random(str(seed)))
    seen = set()
    for _ in range(steps):
        seen.add(ledger.step())
        ledger.check()
    return seen


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**48))
def test_nothing_is_made_or_lost(seed: int) -> None:
    live(seed, 22)


def test_the_events_really_happen() -> None:
    kinds = {row["incomeType"] for seed in range(12) for row in _income(seed)}
    assert kinds == {"TRANSFER", "COMMISSION", "REALIZED_PNL", "FUNDING_FEE", "INSURANCE_CLEAR"}


def _income(seed: int) -> list[dict[str, Any]]:
    ledger = Ledger(random.Random(str(seed)))
    for _ in range(60):
        ledger.step()
    rows: list[dict[str, Any]] = ledger.desk.core.truth()["income"]
    return rows


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
def test_nothing_is_made_or_lost_in_a_night() -> None:
    for seed in range(4_000):
        live(f"night {seed}", 40)
