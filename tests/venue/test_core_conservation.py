"""Cash and quantity are conserved after every event: fills, fees in BNB, funding, transfers, liquidation, deleveraging.

In one-way and in hedge mode, cross and isolated. The sums are made here from fills and income rows alone, in exact
fractions; the core's own figures are only compared.
"""

import random
from collections import defaultdict
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
SIDES = {False: ("BOTH",), True: ("LONG", "SHORT")}
OPENS = {"LONG": "BUY", "SHORT": "SELL"}


def cents(amount: Fraction) -> Fraction:
    """Rounded half-even to the eight decimals of the ledger."""
    return Fraction(round(amount * 10**8), 10**8)


class Margins:
    """Isolated margins of one account, kept by hand: what fills, funding and its owner's own moves make of them."""

    def __init__(self) -> None:
        self.lots: dict[str, Fraction] = {}
        self.own: dict[str, Fraction] = {}

    def fill(self, row: dict[str, Any], leverage: int, isolated: bool) -> None:
        """One fill: a share goes with what closes, initial margin comes with what opens."""
        side, price = row["positionSide"], Fraction(row["price"])
        before, own = self.lots.get(side, Fraction()), self.own.get(side, Fraction())
        traded = Fraction(row["qty"]) * (1 if row["side"] == "BUY" else -1)
        after = self.lots[side] = before + traded
        if not isolated:
            return
        same_way = before * after > 0
        kept = min(abs(after), abs(before)) if same_way else Fraction()
        if before and abs(kept) < abs(before):
            rest = cents(own * kept / abs(before))
            lacking = max(-(own - rest) - Fraction(row["realizedPnl"]), Fraction())
            own = rest - min(lacking, max(rest, Fraction()))
        self.own[side] = own + cents(price * (abs(after) - kept) / leverage)

    def funding(self, amounts: list[Fraction]) -> None:
        """Payments in the order of the sides that pay or receive any."""
        paying = [side for side in ("BOTH", "LONG", "SHORT") if self.lots.get(side)]
        assert len(amounts) in (0, len(paying))
        for side, amount in zip(paying, amounts, strict=False):
            self.own[side] = self.own.get(side, Fraction()) + amount


class Ledger:
    """A desk under random events, and what its fills and rows say by hand."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.desk = Desk(FINE, wallet="40", accounts=OWNERS)
        self.desk.core.transfer("rich", "USDT", Decimal(1_000_000))
        for owner in OWNERS:
            self.desk.core.transfer(owner, "BNB", Decimal("0.01"))
        self.margins = {owner: Margins() for owner in OWNERS}
        self.seen = dict.fromkeys(OWNERS, (0, 0, 0))
        self.mid = 1_000
        self.move()
        self.desk.mark("100")
        for owner in OWNERS:
            for change in (self.mode, self.margin_type):
                if chance.random() < 0.5:
                    change(owner)

    def mode(self, owner: str) -> None:
        """Hedge to one-way or back."""
        other = not self.desk.call("GET", "v1/positionSide/dual", owner)["dualSidePosition"]
        self.desk.call("POST", "v1/positionSide/dual", owner, dualSidePosition=str(other).lower())

    def margin_type(self, owner: str) -> None:
        """Isolated to crossed or back."""
        now = self.desk.call("GET", "v1/symbolConfig", owner)[0]["marginType"]
        self.desk.call("POST", "v1/marginType", owner, marginType="CROSSED" if now == "ISOLATED" else "ISOLATED")

    def place(self, owner: str, side: str, quantity: str, price: str | None) -> None:
        """An order for one of the positions there are; in hedge mode more often an opening one."""
        hedged = self.desk.call("GET", "v1/positionSide/dual", owner)["dualSidePosition"]
        position = self.chance.choice(SIDES[hedged])
        if hedged and self.chance.random() < 0.4:
            side = OPENS[position]
        self.desk.place(side, quantity, price, owner, positionSide=position)

    def close_at(self, owner: str, price: str) -> None:
        """A conditional order that closes a whole position."""
        hedged = self.desk.call("GET", "v1/positionSide/dual", owner)["dualSidePosition"]
        position, kind = self.chance.choice(SIDES[hedged]), self.chance.choice(["STOP_MARKET", "TAKE_PROFIT_MARKET"])
        side = "BUY" if position == "SHORT" else "SELL"
        asked = {"algoType": "CONDITIONAL", "type": kind, "triggerPrice": price, "closePosition": "true"}
        self.desk.call("POST", "v1/algoOrder", owner, side=side, positionSide=position, **asked)

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
            "market": lambda: self.place(owner, side, quantity, None),
            "limit": lambda: self.place(owner, side, quantity, price),
            "mode": lambda: self.mode(owner),
            "margin type": lambda: self.margin_type(owner),
            "leverage": lambda: self.desk.call("POST", "v1/leverage", owner, leverage=str(chance.randint(2, 60))),
            "margin": lambda: self.move_margin(owner),
            "close at": lambda: self.close_at(owner, price),
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

    def move_margin(self, owner: str) -> None:
        """Add or take out isolated margin."""
        hedged = self.desk.call("GET", "v1/positionSide/dual", owner)["dualSidePosition"]
        asked = {"positionSide": self.chance.choice(SIDES[hedged]), "type": str(self.chance.randint(1, 2))}
        self.desk.call("POST", "v1/positionMargin", owner, amount=f"{self.chance.randint(1, 3_000) / 1_000}", **asked)

    def check_margins(self, truth: dict[str, Any]) -> None:
        """Every isolated wallet against the one kept by hand, flat positions without any."""
        for owner in OWNERS:
            hand = self.margins[owner]
            (config,) = self.desk.call("GET", "v1/symbolConfig", owner)
            isolated = config["marginType"] == "ISOLATED"
            fills = [row for row in truth["fills"] if row["account"] == owner]
            rows = [row for row in truth["income"] if row["account"] == owner and row["incomeType"] == "FUNDING_FEE"]
            moves = self.desk.call("GET", "v1/positionMargin/history", owner)
            done = self.seen[owner]
            self.seen[owner] = len(fills), len(rows), len(moves)
            # Funding falls due before anything that an operation does.
            if isolated:
                hand.funding([Fraction(row["income"]) for row in rows[done[1] :]])
            for row in fills[done[0] :]:
                hand.fill(row, config["leverage"], isolated)
            for row in moves[done[2] :]:
                hand.own[row["positionSide"]] += Fraction(row["amount"]) * (1 if row["type"] == 1 else -1)
            shown = {each["side"]: each for each in truth["accounts"][owner]["positions"].values()}
            for side, position in shown.items():
                assert Fraction(position["isolated"]) == hand.own.get(side, Fraction())
                assert position["lots"] or not hand.own.get(side)
            body = self.desk.call("GET", "v3/account", owner)
            total = Fraction(truth["accounts"][owner]["wallet"]["USDT"])
            assert Fraction(body["totalCrossWalletBalance"]) == total - sum(hand.own.values())

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
            sides = zip((row["positionSide"] for row in fills), (lots for lots, _price in signed), strict=True)
            held: dict[str, Fraction] = defaultdict(Fraction)
            for side, lots in sides:
                held[side] += lots
            for each in account["positions"].values():
                assert held.pop(each["side"], Fraction()) == Fraction(each["amount"])
            assert not held
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
            positions = self.desk.core._world.accounts[owner].positions.values()
            stake = sum((Fraction(each.entry) * each.lots / 1000 for each in positions), Fraction())
            # What could not be booked yet is at most half of the last decimal for each position.
            assert abs(worth - stake + spent) <= EXACT * max(len(positions), 2) / 2
            fees = {row["tradeId"]: Fraction(row["income"]) for row in rows if row["incomeType"] == "COMMISSION"}
            assert all(fees.get(str(row["id"]), Fraction()) == -Fraction(row["commission"]) for row in fills)


def live(seed: object, steps: int) -> set[str]:
    """A sequence of events, checked after each; which kinds took place."""
    ledger = Ledger(random.Random(str(seed)))
    seen = set()
    for _ in range(steps):
        seen.add(ledger.step())
        ledger.check()
        ledger.check_margins(ledger.desk.core.truth())
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
