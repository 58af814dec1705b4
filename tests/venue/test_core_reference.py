"""The fast book fills, positions and pays exactly as a slow token-by-token venue under random operations."""

import copy
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from gridops.venue.core import VenueCore, VenueError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.venue.core_kit import BTC, Desk
from tests.venue.reference_book import SlowVenue, Ticket

pytestmark = pytest.mark.simulation

SPEC = replace(
    BTC,
    tick_size=Decimal(1),
    step_size=Decimal(1),
    min_price=Decimal(1),
    min_qty=Decimal(1),
    min_notional=Decimal(1),
    multiplier_up=Decimal(5),
    multiplier_down=Decimal("0.2"),
    price_precision=0,
    quantity_precision=0,
)
# Narrow on purpose: queues, tape and amendments must meet at the same few prices.
PRICE, LOTS = st.integers(97, 102), st.integers(1, 4)
SIDE, OWNER = st.sampled_from(["BUY", "SELL"]), st.sampled_from(["a", "b"])
STP = st.sampled_from(["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"])
OPERATION = st.one_of(
    st.tuples(st.just("limit"), OWNER, SIDE, PRICE, LOTS, STP, st.sampled_from(["GTC", "IOC", "GTX", "FOK"])),
    st.tuples(st.just("limit"), OWNER, SIDE, PRICE, LOTS, STP, st.just("GTC")),
    st.tuples(st.just("market"), OWNER, SIDE, LOTS, STP),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("amend"), st.integers(0, 30), PRICE, LOTS),
    st.tuples(st.just("tape"), st.integers(0, 2), st.integers(1, 6), SIDE),
    st.tuples(st.just("level"), SIDE, st.integers(0, 2), st.integers(0, 6)),
    st.tuples(st.just("move"), st.integers(98, 102), st.lists(st.integers(0, 6), min_size=6, max_size=6)),
    st.tuples(st.just("outsider"), SIDE, LOTS),
)


def attempt(call: Callable[[], dict[str, Any]]) -> dict[str, Any] | int:
    """The answer, or the code it was refused with."""
    try:
        return call()
    except VenueError as error:
        return error.code


class Twins:
    """Both venues fed with the same operations."""

    def __init__(self, *, hedge: bool = False) -> None:
        self.desk = Desk(SPEC, wallet="100000000")
        self.sides = ("LONG", "SHORT") if hedge else ("BOTH",)
        for owner in ("a", "b") if hedge else ():
            self.desk.call("POST", "v1/positionSide/dual", owner, symbol=None, dualSidePosition="true")
        self.slow = SlowVenue()
        self.ids: list[dict[str, Any]] = []
        self.mid = 100
        self.move(100, [3, 3, 3, 3, 3, 3])
        for owner in ("a", "b") if hedge else ():
            # Something to close on either side.
            self.market(owner, "BUY", 6, "NONE")
            self.market(owner, "SELL", 5, "NONE")
            self.move(100, [3, 3, 3, 3, 3, 3])

    def position_for(self, owner: str, side: str, number: int) -> str:
        """Even numbers mean the long side, odd ones the short side; mostly not one that cannot be closed."""
        meant = self.sides[number % len(self.sides)]
        probe = Ticket(0, owner, side, 0, 1, "NONE", meant)
        if number % 5 and self.slow.room(probe, 0):
            return next(each for each in self.sides if each != meant)
        return meant

    def move(self, mid: int, lots: list[int]) -> None:
        """The outside book jumps to another mid."""
        self.mid = mid
        wanted = {
            "BUY": {mid - 1 - i: lots[i] for i in range(3)},
            "SELL": {mid + i: lots[3 + i] for i in range(3)},
        }
        self.desk.book(wanted["BUY"].items(), wanted["SELL"].items())
        for side, levels in wanted.items():
            for price in list(self.slow.levels[side]):
                if price not in levels and 0 in self.slow.levels[side][price]:
                    self.slow.state(side, price, 0)
            for price, count in levels.items():
                self.slow.state(side, price, count)
        self.slow.uncross()

    def level(self, side: str, depth: int, lots: int) -> None:
        """One outside level is stated anew."""
        price = self.mid - 1 - depth if side == "BUY" else self.mid + depth
        levels = [(price, lots)]
        self.desk.diff(levels if side == "BUY" else (), levels if side == "SELL" else ())
        self.slow.state(side, price, lots)
        self.slow.uncross()

    def tape(self, depth: int, lots: int, hit: str) -> None:
        """A public trade hit the bids (BUY) or the asks."""
        price = self.mid - 1 - depth if hit == "BUY" else self.mid + depth
        self.desk.tape(price, lots, seller=hit == "BUY")
        self.slow.tape(price, lots, hit)

    def limit(self, owner: str, side: str, price: int, lots: int, stp: str, tif: str) -> None:
        """A limit order; a refusal must be one that the slow venue understands too."""
        position = self.position_for(owner, side, price + lots)
        more = {"timeInForce": tif, "selfTradePreventionMode": stp, "positionSide": position}
        number = len(self.ids) + 1
        ticket = Ticket(number, owner, side, price, lots, stp if tif in ("GTC", "IOC") else "NONE", position)
        no_room = self.slow.room(ticket, lots if tif in ("GTC", "GTX") else 0)
        opposite = self.slow.levels["SELL" if side == "BUY" else "BUY"]
        reach = sum(len(q) for p, q in opposite.items() if (p <= price if side == "BUY" else p >= price))
        placed = attempt(lambda: self.desk.place(side, str(lots), str(price), owner, **more))
        if no_room or isinstance(placed, int):
            if no_room:
                assert placed == no_room
                return
            assert (placed == -5022 and tif == "GTX" and reach) or (placed == -5021 and reach < lots)
            return
        self.ids.append(placed)
        assert not (tif == "GTX" and reach) and not (tif == "FOK" and reach < lots)
        self.slow.enter(ticket, price, tif in ("GTC", "GTX"))

    def market(self, owner: str, side: str, lots: int, stp: str) -> None:
        """A market order; without any counterparty it is refused."""
        other = "SELL" if side == "BUY" else "BUY"
        position = self.position_for(owner, side, lots)
        more = {"selfTradePreventionMode": stp, "positionSide": position}
        placed = attempt(lambda: self.desk.place(side, str(lots), None, owner, **more))
        ticket = Ticket(len(self.ids) + 1, owner, side, 0, lots, stp, position)
        no_room = self.slow.room(ticket, 0)
        if no_room or isinstance(placed, int):
            assert placed == (no_room or -4131) and (no_room or not self.slow.levels[other])
            return
        self.ids.append(placed)
        self.slow.enter(ticket, None, False)

    def _pick(self, index: int) -> Ticket | None:
        alive = [ticket for ticket in self.slow.tickets.values() if ticket.alive]
        return alive[index % len(alive)] if alive else None

    def cancel(self, index: int) -> None:
        """Cancel some open order."""
        ticket = self._pick(index)
        if ticket is not None:
            placed = self.ids[ticket.number - 1]
            self.desk.call("DELETE", "v1/order", ticket.owner, orderId=str(placed["orderId"]))
            self.slow.cancel(ticket.number)

    def amend(self, index: int, price: int, lots: int) -> None:
        """Amend some open order; a post-only one that would take ends."""
        ticket = self._pick(index)
        if ticket is None:
            return
        placed = self.ids[ticket.number - 1]
        answer = attempt(lambda: self.desk.amend(placed, str(lots), str(price), ticket.owner))
        if isinstance(answer, int):
            same = (ticket.price, ticket.lots) == (price, lots)
            assert answer == (-5027 if same else self.slow.room(ticket, lots)) and answer
            return
        emptied = bool(ticket.filled) and lots <= ticket.filled
        assert emptied or answer["status"] == "CANCELED" or not self.slow.room(ticket, lots)
        if answer["status"] == "CANCELED" and not emptied:
            assert answer["timeInForce"] == "GTX" and self._would_take(ticket.side, price)
            self.slow.cancel(ticket.number)
        else:
            self.slow.amend(ticket.number, price, lots)

    def _would_take(self, side: str, price: int) -> bool:
        opposite = self.slow.levels["SELL" if side == "BUY" else "BUY"]
        return any(queue and (at <= price if side == "BUY" else at >= price) for at, queue in opposite.items())

    def outsider(self, side: str, lots: int) -> None:
        """Somebody outside takes."""
        self.desk.core.external_trade("BTCUSDT", side, lots)
        self.slow.take(side, None, lots, None)

    def compare(self) -> None:
        """Filled lots, states, queue places, positions: what each operation may have moved."""
        world = self.desk.core._world
        assert world.violations == []
        known = world.orders.get("BTCUSDT", {})
        for number, placed in enumerate(self.ids, start=1):
            order, ticket = known[placed["orderId"]], self.slow.tickets[number]
            assert (order.filled_lots, order.open) == (ticket.filled, ticket.alive)
            if ticket.alive:
                queue = self.slow.levels[ticket.side][ticket.price]
                assert order.ahead == queue[: queue.index(number)].count(0)
        for owner, side in product(("a", "b"), self.sides):
            assert world.accounts[owner].position("BTCUSDT", side).lots == self.slow.position(owner, side)

    def compare_money(self) -> None:
        """What the oracle tells of fills and money, against the slow venue's own sums."""
        self.compare()
        truth = self.desk.core.truth()
        shown = {row["orderId"]: row for row in truth["orders"]}
        for number, placed in enumerate(self.ids, start=1):
            spent = sum(price for price, _ in self.slow.fills.get(number, []))
            assert Decimal(shown[placed["orderId"]]["cumQuote"]) == spent
        for owner in ("a", "b"):
            account = truth["accounts"][owner]
            held = [(Fraction(each["entry"]), each["lots"]) for each in account["positions"].values()]
            worth = Fraction(account["wallet"]["USDT"]) - sum(entry * lots for entry, lots in held) - 100_000_000
            assert abs(worth - self.slow.cash(owner)) < Fraction(1, 10**5)


def play(twins: Twins, operations: Iterable[tuple[Any, ...]]) -> None:
    """Feed both and compare after each operation, money at the end."""
    for name, *arguments in operations:
        getattr(twins, name)(*arguments)
        twins.compare()
    twins.compare_money()


def random_operations(chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """The operations above without hypothesis' bookkeeping: several times as many in the same time."""
    for _ in range(chance.randint(12, 40)):
        side, owner, lots = chance.choice(["BUY", "SELL"]), chance.choice("ab"), chance.randint(1, 4)
        stp, price = chance.choice(["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]), chance.randint(97, 102)
        choices: list[tuple[Any, ...]] = [
            *[("limit", owner, side, price, lots, stp, chance.choice(["GTC", "GTC", "IOC", "GTX", "FOK"]))] * 3,
            ("market", owner, side, lots, stp),
            ("cancel", chance.randint(0, 30)),
            ("amend", chance.randint(0, 30), price, lots),
            ("tape", chance.randint(0, 2), chance.randint(1, 6), side),
            ("level", side, chance.randint(0, 2), chance.randint(0, 6)),
            ("move", chance.randint(98, 102), [chance.randint(0, 6) for _ in range(6)]),
            ("outsider", side, lots),
        ]
        yield chance.choice(choices)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(OPERATION, min_size=12, max_size=40), st.booleans())
def test_fast_and_slow_venue_agree(operations: list[tuple[Any, ...]], hedge: bool) -> None:
    play(Twins(hedge=hedge), operations)


@pytest.mark.parametrize("share", range(4))
def test_the_two_venues_agree_on_many_more_sequences(share: int) -> None:
    for seed in range(450):
        operations = list(random_operations(random.Random(f"{share}:{seed}")))
        try:
            play(Twins(hedge=seed % 3 == 0), operations)
        except AssertionError as error:
            raise AssertionError(f"share {share}, seed {seed}: {operations}") from error


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
def test_the_two_venues_agree_on_a_night_of_sequences() -> None:
    for seed in range(30_000):
        play(Twins(hedge=seed % 3 == 0), random_operations(random.Random(f"night:{seed}")))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(OPERATION, min_size=8, max_size=25), st.lists(OPERATION, min_size=4, max_size=15), st.booleans())
def test_a_restarted_venue_continues_identically(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], hedge: bool
) -> None:
    twins = Twins(hedge=hedge)
    for name, *arguments in before:
        getattr(twins, name)(*arguments)
    saved = twins.desk.core.dump()
    reloaded = VenueCore.load(saved)
    assert reloaded.dump() == saved
    twins.desk.core.drain()
    told = []
    for core in (twins.desk.core, reloaded):
        probe = Desk(SPEC)
        probe.core = core
        other = Twins.__new__(Twins)
        other.desk, other.mid, other.ids, other.sides = probe, twins.mid, list(twins.ids), twins.sides
        other.slow = copy.deepcopy(twins.slow)
        for name, *arguments in after:
            getattr(other, name)(*arguments)
        other.compare_money()
        told.append(([event.payload for event in core.drain()], core.dump()))
    assert told[0] == told[1]
