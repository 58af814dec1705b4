"""A simulated run that does what a drill says: each verb of the catalogue is one method here.

A `Day` without a fault calendar, on a market that stands unless told to move. It carries words out and keeps the tape;
when they are due is for `drill_script`, what they prove for `drill_verdict`.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from gridops.domain import ids
from gridops.domain.effects import Answer
from gridops.domain.events import Boot, Event, MarketEnded, OperatorInput, SignalChanged, SinkReport, StopSignal
from gridops.domain.market import Signal
from gridops.domain.vocabulary import OperatorCommand
from gridops.errors import ConfigError
from gridops.runtime.ports import Bundles, Sink
from gridops.runtime.state import EngineState
from gridops.sim.day import ACCOUNT, TAG, WARM_NS
from gridops.sim.drill_spec import Drill
from gridops.sim.drill_tape import Leg, Tape
from gridops.sim.fault_day import FaultDay
from gridops.sim.faults import CALM
from gridops.sim.judge import Violation
from gridops.sim.market import ScriptMarket
from gridops.sim.rest_link import Refusal, RestFaults
from gridops.sim.scheduler import MS, SECOND
from gridops.venue.core import VenueError
from gridops.venue.market.events import SymbolSpec

OPENING_WALLET = Decimal(20_000)
"""What a `Day` opens an account with."""
SETTLE_ROUNDS = 36


class DrillDay(FaultDay):
    """One drill, one seed."""

    def __init__(self, drill: Drill, seed: int) -> None:
        self.drill = drill
        hours = (WARM_NS // MS + drill.run_ms) / 3_600_000
        super().__init__(seed, hours=hours, faults=CALM, market=_market(drill.market, seed), rules=drill.rules)
        self.end_ns = WARM_NS + drill.run_ms * MS
        self.symbol = drill.rules.symbols[0]
        self.tape = Tape(self.judge, self.clock, self.now_ms)
        self.disk.on_row.append(self.tape.on_row)
        self.rest.on_write = self._on_write
        if drill.wallet != OPENING_WALLET:
            self.core.transfer(ACCOUNT, "USDT", drill.wallet - OPENING_WALLET)
        self._armed, self._fingerprint = True, "sim"
        self.sinks: tuple[Sink, ...] = ()
        """What hears every record of every process."""
        self.bundles: Bundles | None = None
        """Who writes evidence; None = nobody."""
        self.start_ms = 0
        """The engine's first start, on the venue's clock."""

    def now_ms(self) -> int:
        """Since the first start."""
        return (self.scheduler.now_ns - WARM_NS) // MS

    def state(self) -> EngineState | None:
        """Of the running process: for cues, never for a verdict."""
        return self._state()

    def play(self) -> None:
        """Warm the market, start the engine, run to the drill's end."""
        self._market_next()
        self.scheduler.after(WARM_NS, self.boot)
        self.scheduler.run_until(self.end_ns)

    def settle(self) -> str:
        """End every fault, let what is under way come in, compare the books. What differs; empty when equal."""
        self.verb_calm()
        if isinstance(self.source, ScriptMarket):
            self.source.freeze()
        for _ in range(SETTLE_ROUNDS):
            self.scheduler.run_until(self.scheduler.now_ns + 10 * SECOND)
            state = self._state()
            if state is not None and not _moving(state):
                break
        state = self._state()
        if state is None:
            return "no process runs at the end"
        try:
            self.judge.books(state, self.core.truth(), ACCOUNT)
        except Violation as found:
            return str(found)
        return ""

    def do(self, verb: str, args: dict[str, Any], name: str) -> None:
        """Carry one word out. `name` is the step's, which an operator's request bears as its id."""
        self.step = name
        if verb in _OPERATOR:
            self._operator(_OPERATOR[verb], name, **args)
        elif verb == "sync":
            self._operator(OperatorCommand.SYNC, name)
        elif verb == "sync_apply":
            self._operator(OperatorCommand.SYNC, name, digest=self._newest_plan())
        else:
            getattr(self, f"verb_{verb}")(**args)

    def amend_legs(self) -> Counter[Leg]:
        """Amends that left the process, with the client id by which the venue knows the order."""
        orders = [each for each in self.core.truth()["orders"] if each["symbol"] == self.symbol]
        names = {int(each["orderId"]): each["clientOrderId"] for each in orders}
        price, quantity = self.grid.price, self.grid.quantity
        return Counter(
            (names.get(int(leg["orderId"]), "?"), price.exact(leg["price"]), quantity.exact(leg["quantity"]))
            for leg in self.tape.amend_legs
        )

    # What the base class calls.

    def _listed(self) -> tuple[SymbolSpec, ...]:
        """Besides the market's own, what the drill has the venue list: symbols without a price, traded by nobody."""
        listed = super()._listed()
        if self.drill.contract:
            listed = (contract(listed[0], self.drill.contract), *listed[1:])
            assert isinstance(self.source, ScriptMarket), "checked when the drill was read"
            self.source.tick = listed[0].tick_size
        return listed + tuple(replace(listed[0], symbol=name) for name in self.drill.listed)

    def boot(self) -> None:
        self.tape.new_process()
        self.start_ms = self.start_ms or self.clock.true_ms()
        super().boot()
        assert self.process is not None
        self.process.engine.sinks = self.sinks
        if self.bundles is not None:
            self.process.bundles_to(self.bundles)

    def pump(self) -> None:
        super().pump()
        self.tape.look()

    def _on_write(self, method: str, path: str, params: dict[str, Any]) -> None:
        self.tape.on_write(method, path, params)
        self.judge.on_write(method, path, params)

    def _boot_event(self) -> Boot:
        return replace(super()._boot_event(), armed=self._armed, fingerprint=self._fingerprint)

    # Verbs.

    def verb_mark(self) -> None:
        """A name for a moment."""

    def verb_calm(self) -> None:
        self.struck_by.end()
        self.rest.faults, self.rest.down, self.rest.banned_until_ms = RestFaults(), False, 0
        self.rest.refusals.clear()
        self.rest.used_weight = (0, 0)
        self._disk_well()
        self._user_speaks()
        self._market_speaks()
        self.clock.skew_ms = 0
        self._release_book()
        self._release_mark()
        self._lease(held=True)
        self._connect_user()
        self._connect_market()

    def verb_price(self, *, move_bps: Decimal, over_s: Decimal) -> None:
        self._script().glide(int(move_bps * 100), int(over_s * 1_000))

    def verb_spread(self, *, bps: Decimal, for_s: Decimal) -> None:
        self._script().open_spread(int(bps * 100))
        if for_s:
            self._later(for_s, lambda: self._script().open_spread(0))

    def verb_book(self, *, shape: str, for_s: Decimal) -> None:
        self.core.interfere("hold_book", self.symbol, shape)
        self.pump()
        self._later(for_s, self._release_book)

    def verb_mark_price(self, *, move_bps: Decimal, for_s: Decimal) -> None:
        mid = Decimal(self._script().mid_ticks) * self.instruments[0].tick_size
        self.core.interfere("hold_mark", self.symbol, mid + mid * move_bps / 10_000)
        self.pump()
        self._later(for_s, self._release_mark)

    def verb_market_end(self) -> None:
        self._tell(MarketEnded(detail="drill"))

    def verb_user_down(self, *, for_s: Decimal) -> None:
        self._drop_user("closed by the venue")
        self._later(for_s, self._connect_user)

    def verb_user_silent(self, *, for_s: Decimal) -> None:
        self._user_mute = True
        self._later(for_s, self._user_speaks)

    def verb_market_down(self, *, for_s: Decimal) -> None:
        process = self.process
        if self._market_up and process is not None:
            self._market_up = 0
            self._market_blind()
            process.deliver(lambda: process.adapter.market_streams(False, "closed by the venue"))
        self._later(for_s, self._connect_market)

    def verb_market_silent(self, *, for_s: Decimal) -> None:
        self._market_mute = True
        self._market_blind()
        self._later(for_s, self._market_speaks)

    def verb_rest_down(self, *, for_s: Decimal) -> None:
        self.rest.down = True
        self._later(for_s, self._rest_up)

    def verb_ban(self, *, for_s: Decimal) -> None:
        self.rest.banned_until_ms = self._venue_until(for_s)

    def verb_rest_fault(self, *, fault: str, share_pct: Decimal, for_s: Decimal) -> None:
        self.rest.faults = RestFaults(**{fault: int(share_pct * 10_000)})
        self._later(for_s, self._rest_well)

    def verb_refuse(self, *, path: str, method: str, status: int, code: int, message: str, for_s: Decimal) -> None:
        until_ms = self._venue_until(for_s)
        named = "" if method == "any" else method
        self.rest.refusals.append(
            Refusal(path=path, method=named, status=status, code=code, message=message, until_ms=until_ms)
        )

    def verb_used_weight(self, *, weight: int, for_s: Decimal) -> None:
        self.rest.used_weight = (weight, self._venue_until(for_s))

    def verb_crash(self, *, away_s: Decimal, reboot: bool) -> None:
        process = self.process
        if process is None or not process.alive:
            return
        process.crash()
        self._user_up = self._market_up = 0
        self.judge.user_blind_since_ms = self.judge.market_blind_since_ms = None
        if reboot:
            self.clock.reboot()
        self._later(away_s, self.boot)

    def verb_restart(self, *, away_s: Decimal, armed: bool, fingerprint: str) -> None:
        self._armed, self._fingerprint = armed, fingerprint
        self.verb_crash(away_s=away_s, reboot=False)

    def verb_freeze(self, *, for_s: Decimal) -> None:
        if self.process is not None:
            self.process.freeze(_ns(for_s))

    def verb_disk_fails(self, *, for_s: Decimal) -> None:
        self.disk.failing = True
        self._later(for_s, self._disk_well)

    def verb_disk_slow(self, *, ms: int, for_s: Decimal) -> None:
        self.disk.slow_us = ms * 1_000
        self._later(for_s, self._disk_well)

    def verb_disk_low(self, *, for_s: Decimal) -> None:
        self._tell(SinkReport(sink="disk", ok=False, detail="drill"))
        self._later(for_s, lambda: self._tell(SinkReport(sink="disk", ok=True, detail="drill")))

    def verb_clock_step(self, *, ms: int) -> None:
        self.clock.skew_ms = ms

    def verb_lease_lost(self, *, for_s: Decimal) -> None:
        self._lease(held=False)
        self._later(for_s, lambda: self._lease(held=True))

    def verb_foreign_order(self, *, side: str, lots: int) -> None:
        self._other_hand(side, lots, {"type": "MARKET"})

    def verb_unlisted_order(self, *, side: str, lots: int, for_s: Decimal) -> None:
        known, mute = set(self.judge.trades), self._user_mute
        self._user_mute = True
        self._other_hand(side, lots, {"type": "MARKET"})
        self._user_mute = mute
        unlisted = set(self.judge.trades) - known
        self.rest.unlisted |= unlisted
        if for_s:
            self._later(for_s, lambda: self.rest.unlisted.difference_update(unlisted))
        else:
            # No statement of the venue lets the engine book them: they stand for history that was cut.
            self.judge.history |= unlisted

    def verb_foreign_limit(self, *, side: str, lots: int, away_bps: Decimal) -> None:
        self._other_hand(side, lots, {"type": "LIMIT", "timeInForce": "GTC", "price": self._price(side, away_bps)})

    def verb_foreign_writer(self) -> None:
        client_id = ids.mint(
            tag=TAG, epoch=self._epoch + 1, run_id="other", symbol=self.symbol, level=9, side="BUY",
            attempt=self.scheduler.events, marker=ids.ORDINARY,
        )  # fmt: skip
        self.judge.impostors.add(client_id)
        price = self._price("BUY", Decimal(100))
        rest = {"type": "LIMIT", "timeInForce": "GTC", "price": price, "newClientOrderId": client_id}
        self._other_hand("BUY", 2, rest)

    def verb_close_position(self) -> None:
        if lots := self.judge.position:
            self._other_hand("SELL" if lots > 0 else "BUY", abs(lots), {"type": "MARKET", "reduceOnly": "true"})

    def verb_cancel_all(self) -> None:
        self._by_hand("DELETE", "/fapi/v1/allOpenOrders", {"symbol": self.symbol})

    def verb_fill_nearest(self, *, side: str, lots: int) -> None:
        orders = [each for each in self.judge.live.items() if each[1].ours and (each[1].sign > 0) is (side == "BUY")]
        if not orders:
            raise ConfigError(f"fill_nearest: no own order rests on the side {side}")
        number, _ = max(orders, key=lambda each: each[1].sign * each[1].price_ticks)
        self.core.interfere("fill_order", self.symbol, {"orderId": number}, lots, account=ACCOUNT)
        self.pump()

    def verb_transfer(self, *, amount: Decimal) -> None:
        self.core.transfer(ACCOUNT, "USDT", amount)
        self.pump()

    def verb_venue_call(self, *, method: str, path: str, params: dict[str, str]) -> None:
        self._by_hand(method, path, dict(params))

    def verb_symbol_status(self, *, status: str) -> None:
        self.core.set_symbol_status(self.symbol, status)
        self.pump()

    def verb_deleverage(self, *, lots: int) -> None:
        self.core.interfere("deleverage", self.symbol, lots or None, account=ACCOUNT)
        self.pump()

    def verb_liquidate(self) -> None:
        self.core.interfere("liquidate", self.symbol, account=ACCOUNT)
        self.pump()

    def verb_fund(self, *, rate_bps: Decimal) -> None:
        self.core.interfere("fund_now", self.symbol, rate_bps / 10_000)
        self.pump()

    def verb_set_filter(self, *, rule: str, value: str) -> None:
        try:
            self.core.interfere("set_filter", self.symbol, rule, value)
        except VenueError as refusal:
            raise ConfigError(f"set_filter {rule} = {value}: the venue refuses: {refusal}") from refusal
        self.pump()

    def verb_sigterm(self) -> None:
        self._tell(StopSignal(name="SIGTERM"))

    def verb_signal(self, *, signal: str, scaled: int, ttl_s: Decimal) -> None:
        said = Signal(
            name=signal,
            scaled=scaled,
            as_of_ms=self.clock.true_ms(),
            ttl_ms=int(ttl_s * 1_000),
            source="drill",
            digest="",
        )
        self._tell(SignalChanged(signal=said))

    # Parts.

    def _operator(
        self, command: OperatorCommand, name: str, *, accept_position: bool = False, digest: str = ""
    ) -> None:
        self._tell(
            OperatorInput(
                command=command,
                request_id=name,
                author="drill",
                reason=name,
                accept_position=accept_position,
                digest=digest,
            )
        )

    def _newest_plan(self) -> str:
        """Digest of the plan that the newest look was answered with, as an operator would copy it."""
        plans = [answer.document for _, answer in self.tape.of(Answer) if answer.document]
        if not plans:
            raise ConfigError("sync_apply: no plan was answered yet", hint='put a step `do = "sync"` before it')
        return str(json.loads(plans[-1])["digest"])

    def _tell(self, event: Event) -> None:
        process = self.process
        if process is not None:
            process.deliver(lambda: process.put(event))

    def _later(self, for_s: Decimal, action: Callable[[], None]) -> None:
        self.scheduler.after(_ns(for_s), action)

    def _venue_until(self, for_s: Decimal) -> int:
        return self.clock.true_ms() + int(for_s * 1_000)

    def _script(self) -> ScriptMarket:
        assert isinstance(self.source, ScriptMarket), "checked when the drill was read"
        return self.source

    def _rest_well(self) -> None:
        self.rest.faults = RestFaults()

    def _release_book(self) -> None:
        self.core.interfere("release_book", self.symbol)
        self.pump()

    def _release_mark(self) -> None:
        self.core.interfere("release_mark", self.symbol)
        self.pump()

    def _lease(self, *, held: bool) -> None:
        if self.process is not None:
            self.process.lease.held = held

    def _price(self, side: str, away_bps: Decimal) -> str:
        mid = self._script().mid_ticks
        away = int(mid * away_bps / 10_000)
        return self.grid.price.text(mid - away if side == "BUY" else mid + away)

    def _other_hand(self, side: str, lots: int, rest: dict[str, str]) -> None:
        self._foreign += 1
        params = {
            "symbol": self.symbol,
            "side": side,
            "quantity": self.grid.quantity.text(lots),
            "newClientOrderId": f"web_{self.seed}_{self._foreign}",
            **rest,
        }
        self._by_hand("POST", "/fapi/v1/order", params)

    def _by_hand(self, method: str, path: str, params: dict[str, str]) -> None:
        """A drill whose own hand is refused would prove nothing: it ends as a mistake in the drill."""
        reply = self.rest.by_another_hand(method, path, params)
        if reply.status != 200:
            raise ConfigError(f"the venue refuses {method} {path} of another hand: {reply.payload}")


_OPERATOR = {
    "pause": OperatorCommand.PAUSE,
    "resume": OperatorCommand.RESUME,
    "ack": OperatorCommand.ACK,
    "kill": OperatorCommand.KILL,
    "stop": OperatorCommand.STOP,
}


def _ns(seconds: Decimal) -> int:
    return int(seconds * SECOND)


def _market(spec: str, seed: int) -> str:
    """`script` and `light` are seeded by the run."""
    return f"{spec}:{seed}" if spec in ("script", "light") else spec


def contract(spec: SymbolSpec, changed: Mapping[str, str]) -> SymbolSpec:
    """The market's symbol with other rules from its first moment on. ConfigError for a rule that is none."""
    known = [each.name for each in fields(spec) if isinstance(getattr(spec, each.name), Decimal)]
    unknown = sorted(set(changed) - set(known))
    if unknown:
        raise ConfigError(f"contract: {unknown[0]} is unknown", hint=f"allowed: {', '.join(known)}")
    found: dict[str, Any] = {name: Decimal(held) for name, held in changed.items()}
    for name, size in (("price_precision", "tick_size"), ("quantity_precision", "step_size")):
        found[name] = max(0, -int(found.get(size, getattr(spec, size)).as_tuple().exponent))
    return replace(spec, **found)


def _moving(state: EngineState) -> bool:
    orders = [order for symbol in state.symbols.values() for order in symbol.orders.values()]
    return any(order.pending is not None or order.state.value in ("SENT", "UNKNOWN") for order in orders)
