"""What the router emits, the emulator's own filters let through, on every symbol the venue really listed.

Real rules, random ladders, an account with orders and a position to start from. Another judge than the decimal
arithmetic beside the router: here the venue itself refuses.
"""

import gzip
import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from gridops.adapters import venue_parse
from gridops.decide.grid import GridInputs, GridState, ladder, spacing_ticks
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.decide.sizing import Infeasible, rung_lots
from gridops.domain.events import Boot
from gridops.domain.orders import Order
from gridops.domain.plan import Op, Target
from gridops.domain.records import Decided
from gridops.domain.rules import GridRules, RouterRules
from gridops.domain.vocabulary import Decision, Gate, OpKind, OrderState, RouterReason, Side, TimeInForce
from gridops.sim.drill_day import DrillDay
from gridops.sim.drill_run import run_drill
from gridops.sim.drill_spec import parse
from gridops.venue.core import VenueCore, VenueError
from gridops.venue.market.events import BookSnapshot, MarkPrice, SymbolSpec

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(300)]

EXCHANGE_INFO = "market/binance_usdm/reference/exchangeInfo_202503_symbols_half.json.gz"
START_MS, ACCOUNT = 1_740_000_000_000, "one"
ROUNDS = 3
FILTERS = {
    -1111, -4001, -4002, -4003, -4004, -4005, -4013, -4014, -4016, -4023, -4024, -4164, -5029,
}  # fmt: skip
"""What the venue answers when a price, a quantity or a notional is not to its rules."""


def spec_of(raw: dict[str, Any]) -> SymbolSpec:
    named = {each["filterType"]: each for each in raw["filters"]}
    price, lot, percent = named["PRICE_FILTER"], named["LOT_SIZE"], named["PERCENT_PRICE"]
    return SymbolSpec(
        symbol=raw["symbol"],
        base_asset=raw["baseAsset"],
        quote_asset=raw["quoteAsset"],
        tick_size=Decimal(price["tickSize"]),
        step_size=Decimal(lot["stepSize"]),
        min_price=Decimal(price["minPrice"]),
        max_price=Decimal(price["maxPrice"]),
        min_qty=Decimal(lot["minQty"]),
        max_qty=Decimal(lot["maxQty"]),
        market_max_qty=Decimal(named["MARKET_LOT_SIZE"]["maxQty"]),
        min_notional=Decimal(named["MIN_NOTIONAL"]["notional"]),
        multiplier_up=Decimal(percent["multiplierUp"]),
        multiplier_down=Decimal(percent["multiplierDown"]),
        price_precision=raw["pricePrecision"],
        quantity_precision=raw["quantityPrecision"],
    )


class Desk:
    """One symbol at the venue: a book, a mark, and an account whose orders the router plans for."""

    def __init__(self, core: VenueCore, grid: venue_parse.Grid, chance: Random) -> None:
        self.core, self.grid, self.chance = core, grid, chance
        self.made = grid.instrument
        self.name = self.made.symbol
        self.refused: Counter[int] = Counter()
        self.against: list[str] = []
        self.took: Counter[OpKind] = Counter()
        self.bid, self.lots, self.levels, self.count = 0, 0, 0, 0

    def call(self, method: str, path: str, params: dict[str, str]) -> Any:
        return self.core.call(ACCOUNT, method, path, {"symbol": self.name, **params}, self.core.now_ms + 60)

    def open(self) -> None:
        """A price at which a rung can be sized, a book around it and a mark at it."""
        made, chance = self.made, self.chance
        low = max(made.min_price_ticks, 200)
        self.levels = chance.randrange(1, 12)
        self.bid = chance.randrange(low, min(max(made.max_price_ticks // 4, low + 1), 2_000_000))
        sized = self._sized()
        while isinstance(sized, Infeasible) and self.bid > low:
            self.bid = max(self.bid // 2, low)
            sized = self._sized()
        assert not isinstance(sized, Infeasible), sized
        self.lots = sized
        deep = 40 * sized
        now_ms = self.core.now_ms + 60
        self.core.apply(BookSnapshot(now_ms, self.name, ((self.bid, deep),), ((self.bid + 2, deep),)))
        mark = made.price(self.bid)
        self.core.apply(MarkPrice(now_ms, self.name, mark, mark, Decimal(0), now_ms + 8 * 3_600_000))

    def hold(self) -> None:
        """Take a position of a few rungs at the market."""
        wanted = self.chance.randrange(-3, 4) * self.lots
        if wanted:
            quantity = self.grid.quantity.text(min(abs(wanted), self.made.market_max_lots))
            side = "BUY" if wanted > 0 else "SELL"
            self.call("POST", "/fapi/v1/order", {"side": side, "type": "MARKET", "quantity": quantity})

    def position(self) -> int:
        """Lots the venue holds for the account."""
        return int(self.core.truth()["accounts"][ACCOUNT]["positions"].get(self.name, {"lots": 0})["lots"])

    def plan(self) -> tuple[Op, ...]:
        """Set orders for one ladder; plan the ladder that the position now asks for, with what rests."""
        _, targets = ladder(GridState(), self._inputs())
        orders = {each.client_id: each for target in targets if (each := self._rest(target)) is not None}
        for each in self.core.truth()["orders"]:
            if each["status"] not in ("NEW", "PARTIALLY_FILLED"):
                orders.pop(each["clientOrderId"], None)
        inputs = self._inputs()
        state, targets = ladder(GridState(), inputs)
        ctx = RouteContext(
            symbol=self.name,
            instrument=self.made,
            rules=RouterRules(),
            bid_ticks=inputs.bid_ticks,
            ask_ticks=inputs.ask_ticks,
            mark_ticks=inputs.mark_ticks,
            position_lots=inputs.position_lots,
            venue_position_lots=inputs.position_lots,
            spacing_ticks=spacing_ticks(state, inputs),
            cap_units=self._cap(),
            account_cap_units=self._cap(),
            permit=lambda _request: None,
            now_ms=self.core.now_ms + 60_000,
        )
        return route([self._warped(each) for each in targets], list(orders.values()), ctx).ops

    def _warped(self, target: Target) -> Target:
        """Now and then a rung no sizing would ask for: too small, too large, or off the range of prices."""
        chance, made = self.chance, self.made
        if chance.random() < 0.8 or target.reduce_only:
            return target
        far = chance.choice((1, made.min_price_ticks - 1, made.max_price_ticks + 1))
        price = far if (far < self.bid) is (target.side is Side.BUY) and chance.random() < 0.3 else target.price_ticks
        lots = chance.choice((1, made.min_lots, max(1, target.lots // 10), target.lots, made.max_lots + 1))
        return replace(target, price_ticks=max(1, price), lots=lots)

    def _inputs(self) -> GridInputs:
        return GridInputs(
            symbol=self.name,
            instrument=self.made,
            rules=GridRules(levels=self.levels, volatility_scaled=False),
            bid_ticks=self.bid,
            ask_ticks=self.bid + 2,
            mark_ticks=self.bid,
            position_lots=self.position(),
            lots=self.lots,
            cap_units=self._cap(),
            at_ms=self.core.now_ms,
        )

    def send(self, op: Op) -> None:
        """One operation as the adapter words it."""
        price, quantity = self.grid.price.text(op.price_ticks), self.grid.quantity.text(op.lots)
        params = {"side": str(op.side), "price": price, "quantity": quantity}
        try:
            if op.kind is OpKind.CANCEL:
                self.call("DELETE", "/fapi/v1/order", {"origClientOrderId": op.client_id})
            elif op.kind is OpKind.AMEND:
                self.call("PUT", "/fapi/v1/order", {**params, "origClientOrderId": op.client_id})
            else:
                self._place(params, str(op.tif), reduce_only=op.reduce_only)
            self.took[op.kind] += 1
        except VenueError as refusal:
            self.refused[refusal.code] += 1
            self.against.append(f"{self.name}: {refusal} for {op}")

    def _sized(self) -> int | Infeasible:
        rules = GridRules(levels=self.levels, volatility_scaled=False)
        return rung_lots(Decimal(50_000), rules, self.made, self.bid, cap_units=self._cap())

    def _cap(self) -> int:
        return self.made.units(Decimal(20_000))

    def _place(self, params: dict[str, str], tif: str, *, reduce_only: bool) -> str:
        self.count += 1
        name = f"o{self.count}"
        words = {"type": "LIMIT", "timeInForce": tif, "newClientOrderId": name}
        self.call("POST", "/fapi/v1/order", {**params, **words, **({"reduceOnly": "true"} if reduce_only else {})})
        return name

    def _rest(self, target: Target) -> Order | None:
        """An order that may have been set for this rung once: elsewhere, of another size, perhaps partly filled."""
        chance = self.chance
        if chance.random() < 0.3:
            return None
        away = chance.randrange(97, 101) if target.side is Side.BUY else chance.randrange(100, 104)
        price, lots = max(1, target.price_ticks * away // 100), max(1, target.lots * chance.randrange(50, 180) // 100)
        told = {
            "side": str(target.side),
            "price": self.grid.price.text(price),
            "quantity": self.grid.quantity.text(lots),
        }
        try:
            name = self._place(told, str(TimeInForce.GTX), reduce_only=target.reduce_only)
        except VenueError:
            return None
        filled = chance.randrange(lots) if not target.reduce_only and chance.random() < 0.2 else 0
        if filled:
            where = {"origClientOrderId": name}
            filled = self.core.interfere("fill_order", self.name, where, filled, account=ACCOUNT)
        return Order(
            client_id=name,
            symbol=self.name,
            side=target.side,
            level=target.level,
            price_ticks=price,
            lots=lots,
            reduce_only=target.reduce_only,
            order_type=target.order_type,
            tif=target.tif,
            state=OrderState.PARTIAL if filled else OrderState.OPEN,
            epoch=1,
            created_ms=0,
            filled_lots=filled,
        )


def venue_of(raw: list[dict[str, Any]]) -> VenueCore:
    core = VenueCore(symbols=tuple(spec_of(each) for each in raw), start_ms=START_MS, seed=1)
    assets = {each["marginAsset"] for each in raw}
    core.add_account(ACCOUNT, api_key="k", api_secret="s", wallet={asset: Decimal(10**9) for asset in assets})
    return core


def test_every_operation_passes_the_filters_of_the_venue_itself(shared_data: Path) -> None:
    listed = json.loads(gzip.decompress((shared_data / EXCHANGE_INFO).read_bytes()))
    listed = listed["symbols"] if isinstance(listed, dict) else listed
    raw = [each for each in listed if each["status"] == "TRADING"]
    chance = Random(229)
    took: Counter[OpKind] = Counter()
    refused: Counter[int] = Counter()
    traded = set()
    for each in raw:
        for _ in range(ROUNDS):
            core = venue_of([each])
            payload = core.call(None, "GET", "/fapi/v1/exchangeInfo", {}, core.now_ms + 1)
            (made,) = venue_parse.instruments(payload, (each["symbol"],))
            desk = Desk(core, venue_parse.Grid(made), chance)
            desk.open()
            desk.hold()
            for op in desk.plan():
                desk.send(op)
            assert not FILTERS & set(desk.refused), desk.against
            assert core.truth()["violations"] == []
            took += desk.took
            refused += desk.refused
            if desk.took[OpKind.PLACE] + desk.took[OpKind.AMEND]:
                traded.add(each["symbol"])
    print(f"{len(raw)} symbols: took {dict(took)}, refused otherwise {dict(refused)}")
    assert len(raw) == len(traded) == 208
    assert took[OpKind.PLACE] > 1_000 and took[OpKind.AMEND] > 1_000
    assert refused.total() * 50 < took.total(), refused


def test_a_symbol_off_the_list_gets_no_order_and_the_journal_says_why() -> None:
    """The journal holds a symbol that this start's list lacks: every level of it is decided, and nothing leaves."""
    drill = parse(
        {
            "name": "other", "title": "t", "shows": "s", "runbook": "router", "run_s": 40, "listed": ["ETHUSDT"],
            "step": [{"do": "mark", "at_s": 1}], "expect": [{"that": "requests", "symbol": "ETHUSDT"}],
        },
        "other",
    )  # fmt: skip
    days: list[DrillDay] = []
    writes: list[tuple[str, str]] = []

    def prepare(day: DrillDay) -> None:
        days.append(day)
        made, judged = day._boot_event, day.rest.on_write

        def boot() -> Boot:
            event = made()
            return replace(event, rules=replace(event.rules, symbols=("ETHUSDT",)))

        def on_write(method: str, path: str, params: dict[str, Any]) -> None:
            writes.append((method, path))
            judged(method, path, params)

        day._boot_event, day.rest.on_write = boot, on_write  # type: ignore[method-assign]

    report = run_drill(drill, 1, prepare=prepare)
    (day,) = days
    choices = [each.choice for _, each in day.tape.of(Decided)]
    assert report.ok and {each.symbol for each in choices} == {"BTCUSDT"}
    assert len(choices) >= 2 * day.rules.grid.levels
    said = {(each.decision, each.reason, each.gate) for each in choices}
    assert said == {(Decision.NOOP, RouterReason.BLOCKED_GATE, Gate.WHITELIST)}
    assert day.core.truth()["orders"] == []
    assert [each for each in writes if "order" in each[1].lower() and each[0] in ("POST", "PUT")] == []
