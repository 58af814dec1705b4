"""One simulated stretch of trading: venue core, market, links, disk, judge, and one process after another.

The composition root of the simulator: it wires the production engine as the live process does, carries incidents out,
and at the end lets everything settle and compares the books.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import Any

from gridops.adapters import venue_parse
from gridops.adapters.ccxt_client import VenueSettings
from gridops.adapters.owed_reports import DEAF
from gridops.adapters.reconnect import FIRST_PAUSE_MS
from gridops.decide.router import route
from gridops.domain.events import Boot, Event, SinkReport, VenueNotice
from gridops.domain.rules import GridRules, RiskRules, Rules
from gridops.domain.vocabulary import FsmState, OperatorCommand
from gridops.errors import JournalError
from gridops.runtime.act import Planner
from gridops.runtime.engine import Engine, recover
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import encode_state
from gridops.sim.day_hands import Hands
from gridops.sim.disk_troubles import DiskTroubles, SimEvidence
from gridops.sim.fault_gate import FaultGate
from gridops.sim.faults import CALM, Calendar, FaultRates
from gridops.sim.judge import Judge, Violation
from gridops.sim.market import LightMarket, open_sim_market
from gridops.sim.memory_journal import Disk, MemoryJournal
from gridops.sim.rest_link import RestFaults, RestLink
from gridops.sim.scheduler import MS, SECOND, Link, LinkRates, Scheduler, VirtualClock
from gridops.sim.sim_loop import SimLatch, SimLease, SimProcess, SimReserve
from gridops.sim.sim_venue import SimVenue
from gridops.venue.core import VenueCore
from gridops.venue.events import Fidelity
from gridops.venue.market.events import MarketEvent, SymbolSpec

ACCOUNT, OTHER_HAND, TAG = "sim", "other", "s1m0"
WARM_NS = 10 * SECOND
OPENED_NS = WARM_NS + 40 * SECOND
SETTLE_NS = 100 * SECOND

RULES = Rules(
    symbols=("BTCUSDT",),
    grid=GridRules(levels=4, rung_notional=Decimal(400)),
    risk=RiskRules(symbol_cap=Decimal(3_000), account_cap=Decimal(3_000), max_order_notional=Decimal(1_000)),
)
_UNUSED = "no-requests-are-signed"
SETTINGS = VenueSettings(api_key=_UNUSED, api_secret=_UNUSED, symbols=("BTCUSDT",), view_interval_ms=100)


class Day(Hands):
    """Everything of one run. `run` returns when it is over or raises `Violation`."""

    def __init__(
        self,
        seed: int,
        *,
        hours: float,
        faults: FaultRates,
        market: str,
        rules: Rules = RULES,
        planner: Planner = route,
        judge: type[Judge] = Judge,
        only: frozenset[str] | None = None,
    ) -> None:
        self.gate = FaultGate(only)
        self.seed, self.rules, self.faults, self.planner = seed, rules, faults, planner
        self.settings = replace(SETTINGS, symbols=rules.symbols)
        self.scheduler = self._time()
        self.source = open_sim_market(market)
        self.clock = VirtualClock(self.scheduler, self.source.start_ms())
        self.end_ns = int(hours * 3_600) * SECOND
        self.warm_ns = WARM_NS
        """The market runs that long before the process starts."""
        self.market_events = 0
        self.boots = 0
        self.core = VenueCore(
            symbols=self._listed(),
            start_ms=self.source.start_ms(),
            seed=seed,
            fidelity=Fidelity(depth_streams=False),
        )
        self.core.add_account(ACCOUNT, api_key=_UNUSED, api_secret=_UNUSED, wallet={"USDT": Decimal(20_000)})
        self.instruments = venue_parse.instruments(self._rules_payload(), rules.symbols)
        grid = venue_parse.Grid(self.instruments[0])
        self.grid = grid
        self.judge = judge(grid, rules, TAG, self.clock.true_ms)
        self.disk = Disk()
        # Every other seed that loses power has a disk that loses what was not synced.
        self.disk.lossy = bool(faults.power_cut) and Random(f"{seed}|lossy").random() < 0.5
        self.disk.on_row.append(self.judge.on_row)
        self.evidence = SimEvidence(self._told, self.judge.evidence_lost)
        self.troubles = DiskTroubles(self.scheduler, self.disk, self.evidence, self._told)
        self.latch, self.reserve = SimLatch(), SimReserve(self.judge.intents.read_effects)
        self._user = self._link("user", faults.user, ordered=True)
        self._market = self._link("market", faults.market, ordered=True)
        self.rest = self._rest(faults.rest)
        self.process: SimProcess | None = None
        self._epoch = 0
        self._user_up = self._market_up = 0
        """Connection numbers; 0 = down. A frame of an older connection is lost."""
        self._connections = 0
        self._user_mute = self._market_mute = False
        self._foreign = 0
        self._orderly = False
        self.calendar = Calendar(self.scheduler, faults, f"{seed}|calendar", until_ns=self.end_ns)
        self.calendar.gate = self.rest.gate = self.gate
        self.judge.state_now = self._state
        self.judge.latched = self.latch.is_set
        requests = self.judge.asks
        requests.spec = self._spec
        requests.banned_until_ms = lambda: self.rest.banned_until_ms
        requests.hindered = self._hindered
        self.judge.rows.exits.mute = lambda: self.process is None or self.process.still or self.disk.failing
        requests.leads = lambda: self.process is None or self.process.lease.held

    def _time(self) -> Scheduler:
        return Scheduler()

    def _journal(self) -> MemoryJournal:
        return MemoryJournal(self.scheduler, self.disk, f"{self.seed}|disk|{self.boots}")

    def _listed(self) -> tuple[SymbolSpec, ...]:
        return self.source.symbols()

    def _link(self, name: str, rates: LinkRates, *, ordered: bool) -> Link:
        link = Link(self.scheduler, rates, f"{self.seed}|{name}", ordered=ordered)
        link.name, link.gate = name, self.gate
        return link

    def _rest(self, faults: RestFaults) -> RestLink:
        rest = RestLink(
            self.scheduler,
            self.core,
            account=ACCOUNT,
            there=self._link("request", LinkRates(), ordered=False),
            back=self._link("reply", LinkRates(), ordered=False),
            faults=faults,
            settings=self.settings,
            venue_ms=self.clock.true_ms,
            pump=self.pump,
            seed=f"{self.seed}|rest",
        )
        rest.on_write = self.judge.on_write
        rest.on_request = self.judge.on_request
        return rest

    def _spec(self) -> SymbolSpec | None:
        return next((each for each in self.core.symbols() if each.symbol == self.rules.symbols[0]), None)

    def _hindered(self) -> bool:
        """Can nothing be sent or kept, by no fault of the process?"""
        process = self.process
        stopped = process is None or not process.alive or process.frozen
        banned = self.clock.true_ms() < self.rest.banned_until_ms
        return stopped or banned or self.rest.down or self.disk.failing or bool(self.rest.refusals)

    def _rules_payload(self) -> object:
        return self.core.call(None, "GET", "/fapi/v1/exchangeInfo", {}, self.clock.true_ms())

    def _state(self) -> EngineState | None:
        """Of the process that runs now; None while there is none."""
        process = self.process
        return process.engine.state if process is not None and process.alive and not process.frozen else None

    # The run.

    def run(self) -> None:
        """Trade under faults, then stop the faults and the market, settle, and compare the books."""
        self.play()
        self._calm_down()
        self.scheduler.run_until(self.end_ns + SETTLE_NS)
        self._wait_until_settled()
        self.disk.sync()
        state = self._state()
        assert state is not None
        self.judge.settle(state, self.core.truth(), ACCOUNT)

    def play(self) -> None:
        """Trade under faults to the end, and leave everything as it stands then."""
        self._market_next()
        self.scheduler.after(self.warm_ns, self.boot)
        self.scheduler.after(self.warm_ns + SECOND, lambda: self.calendar.begin(self._strike))
        self.scheduler.run_until(self.end_ns)

    def close(self) -> None:
        """Let go of what was under way when the run ended."""
        if self.process is not None:
            self.process.close()

    def _calm_down(self) -> None:
        self.rest.faults = RestFaults()
        self.rest.down = False
        self.rest.banned_until_ms = 0
        self._user.rates = self._market.rates = CALM.user
        self.disk.failing, self.disk.slow_us = False, 0
        self._user_speaks()
        self._market_speaks()
        if isinstance(self.source, LightMarket):
            self.source.freeze()
        state = self._state()
        if state is not None and state.wishes.paused:
            self.operator(OperatorCommand.RESUME)

    def _wait_until_settled(self) -> None:
        """Give what is under way a few more minutes: the comparison needs a moment without an order in flight."""
        for _ in range(36):
            state = self._state()
            if state is not None and state.fsm.state is FsmState.EMERGENCY:
                self.operator(OperatorCommand.ACK, accept_position=True)
            elif state is not None and self._quiet(state):
                return
            self.scheduler.run_until(self.scheduler.now_ns + 10 * SECOND)

    def _quiet(self, state: EngineState) -> bool:
        symbol = next(iter(state.symbols.values()))
        moving = any(o.pending is not None or o.state.value in ("SENT", "UNKNOWN") for o in symbol.orders.values())
        return not moving and state.fsm.state in (FsmState.ACTIVE, FsmState.THROTTLED, FsmState.PAUSED)

    def digest(self) -> str:
        """What two runs of one seed must share: every record, the final state, and the venue's whole truth."""
        assert self.process is not None
        engine = self.process.engine
        made = sha256(engine.records_digest.encode())
        made.update(encode_state(engine.state))
        made.update(self.core.dump())
        return made.hexdigest()

    # The venue's side.

    def _market_next(self) -> None:
        event = self.source.next_event()
        if event is None:
            return
        at_ns = (event.at_ms - self.source.start_ms()) * MS
        self.scheduler.at(at_ns, lambda: self._apply(event))

    def _apply(self, event: MarketEvent) -> None:
        """This event and all others of its instant."""
        due: MarketEvent | None = event
        at_ms = event.at_ms
        while due is not None and due.at_ms <= at_ms:
            self.market_events += 1
            self.core.apply(due)
            due = self.source.next_event()
        self.pump()
        if due is not None:
            later = due
            self.scheduler.at((later.at_ms - self.source.start_ms()) * MS, lambda: self._apply(later))

    def pump(self) -> None:
        """Hand what the core said to the judge, then to the links."""
        for event in self.core.drain():
            stream, payload = event.stream, event.payload
            if stream.startswith("private:"):
                if stream == f"private:{ACCOUNT}":
                    self.judge.on_private(payload)
                    self._tell_user(payload)
            elif payload["e"] in ("bookTicker", "aggTrade", "markPriceUpdate"):
                if payload["e"] == "markPriceUpdate":
                    self.judge.on_mark(self.grid.price.nearest(payload["p"]))
                self._tell_market(payload)

    def _tell_user(self, payload: dict[str, Any]) -> None:
        connection, process = self._user_up, self.process
        if not connection or process is None or self._user_mute:
            return
        for at_ns in self._user.arrivals():
            self.scheduler.at(at_ns, lambda: self._user_arrived(connection, process, payload))

    def _user_arrived(self, connection: int, process: SimProcess, payload: dict[str, Any]) -> None:
        if connection == self._user_up:
            process.deliver(lambda: process.adapter.on_user(payload))

    def _tell_market(self, payload: dict[str, Any]) -> None:
        connection, process = self._market_up, self.process
        if not connection or process is None or self._market_mute:
            return
        for at_ns in self._market.arrivals():
            self.scheduler.at(at_ns, lambda: self._market_arrived(connection, process, payload))

    def _market_arrived(self, connection: int, process: SimProcess, payload: dict[str, Any]) -> None:
        if connection == self._market_up:
            process.deliver(lambda: process.adapter.on_market(payload))

    # The process.

    def boot(self) -> None:
        """Recover from the disk and begin a run, as the live process does."""
        self.boots += 1
        self._epoch += 1
        process = SimProcess(
            self._recovered(),
            scheduler=self.scheduler,
            clock=self.clock,
            venue_of=self._adapter,
            rest=self.rest,
            journal=self._journal(),
            lease=SimLease(self._epoch),
            latch=self.latch,
            reserve=self.reserve,
            seed=f"{self.seed}|loop|{self.boots}",
        )
        process.on_wake = self.judge.on_wake
        process.bundles_to(self.evidence)
        self.evidence.begin()
        self.process = process
        process.put(self._boot_event())
        if self.reserve.rows:
            detail = f"{len(self.reserve.rows)} reductions were sent while the journal could not be written"
            process.put(VenueNotice(kind="reserve_records", symbol="", detail=detail, event_ms=0))
            self.reserve.rows.clear()
        self.scheduler.after(300 * MS, self._connect_user)
        self.scheduler.after(400 * MS, self._connect_market)

    def _recovered(self) -> Engine:
        try:
            return recover(self.disk.tail(), EngineState(rules=self.rules), planner=self.planner)
        except JournalError as error:
            raise Violation("I-24", str(error)) from error

    def _adapter(self, put: Callable[[Event], None]) -> SimVenue:
        venue = SimVenue(
            settings=self.settings, put=put, scheduler=self.scheduler, clock=self.clock, instruments=self.instruments,
            deaf=lambda: self._deaf(venue),
        )  # fmt: skip
        return venue

    def _boot_event(self) -> Boot:
        return Boot(
            run_id=sha256(f"{self.seed}|{self.boots}".encode()).hexdigest()[:12],
            instance_tag=TAG,
            account=ACCOUNT,
            fingerprint="sim",
            epoch=self._epoch,
            build="sim",
            config_hash="sim",
            armed=True,
            live=False,
            rules=self.rules,
            instruments=self.instruments,
            kill_latched=self.latch.is_set(),
        )

    def _connect_user(self) -> None:
        process = self.process
        if process is None or not process.alive or self._user_up:
            return
        self._connections += 1
        self._user_up = self._connections
        self.judge.on_connect(1)
        self.judge.user_blind_since_ms = None
        process.deliver(lambda: process.adapter.user_stream(True, ""))

    def _connect_market(self) -> None:
        process = self.process
        if process is None or not process.alive or self._market_up:
            return
        self._connections += 1
        self._market_up = self._connections
        self.judge.on_connect(2)
        if not self._market_mute:
            self.judge.market_blind_since_ms = None
        process.deliver(lambda: process.adapter.market_streams(True, ""))

    # Incidents.

    def _strike(self, name: str, chance: Random) -> None:
        if name.startswith("disk_"):
            self.troubles.strike(name, chance)
        else:
            getattr(self, f"_do_{name}")(chance)

    def _do_user_down(self, chance: Random) -> None:
        self._drop_user("closed by the venue")
        self.scheduler.after(chance.randint(200, 12_000) * MS, self._connect_user)

    def _drop_user(self, reason: str) -> None:
        if self._user_up and self.process is not None:
            process = self.process
            self._user_up = 0
            self.judge.user_blind_since_ms = self.clock.true_ms()
            process.deliver(lambda: process.adapter.user_stream(False, reason))

    def _deaf(self, venue: SimVenue) -> None:
        if self.process is not None and self.process.adapter is venue:
            self._drop_user(DEAF)
            self.scheduler.after(FIRST_PAUSE_MS * MS, self._connect_user)

    def _do_user_silent(self, chance: Random) -> None:
        self._user_mute = True
        self.scheduler.after(chance.randint(1, 90) * SECOND, self._user_speaks)

    def _user_speaks(self) -> None:
        self._user_mute = False

    def _do_market_down(self, chance: Random) -> None:
        if self._market_up and self.process is not None:
            process = self.process
            self._market_up = 0
            self._market_blind()
            process.deliver(lambda: process.adapter.market_streams(False, "closed by the venue"))
        self.scheduler.after(chance.randint(200, 12_000) * MS, self._connect_market)

    def _market_blind(self) -> None:
        if self.judge.market_blind_since_ms is None:
            self.judge.market_blind_since_ms = self.clock.true_ms()

    def _do_market_silent(self, chance: Random) -> None:
        self._market_mute = True
        self._market_blind()
        self.scheduler.after(chance.randint(1, 30) * SECOND, self._market_speaks)

    def _market_speaks(self) -> None:
        self._market_mute = False
        if self._market_up:
            self.judge.market_blind_since_ms = None

    def _do_rest_down(self, chance: Random) -> None:
        self.rest.down = True
        self.scheduler.after(chance.randint(1, 40) * SECOND, self._rest_up)

    def _rest_up(self) -> None:
        self.rest.down = False

    def _do_ban(self, chance: Random) -> None:
        self.rest.banned_until_ms = self.clock.true_ms() + chance.randint(2, 60) * 1_000

    def _do_crash(self, chance: Random) -> None:
        if self._dies():
            self._comes_back(chance, reboots=chance.random() < 0.25)

    def _do_power_cut(self, chance: Random) -> None:
        if self._dies():
            self.disk.power_cut(chance)
            self._comes_back(chance, reboots=True)

    def _dies(self) -> bool:
        """False when there is no process to die."""
        process = self.process
        if process is None or not process.alive:
            return False
        process.crash()
        self._user_up = self._market_up = 0
        self.judge.user_blind_since_ms = self.judge.market_blind_since_ms = None
        self.judge.evidence_over()
        return True

    def _comes_back(self, chance: Random, *, reboots: bool) -> None:
        if reboots:
            self.clock.reboot()
        away_ms = chance.choice((300, 2_000, 20_000, 150_000)) + chance.randint(0, 1_000)
        self.scheduler.after(away_ms * MS, self.boot)

    def _do_freeze(self, chance: Random) -> None:
        if self.process is not None:
            self.process.freeze(chance.choice((300, 700, 2_000, 15_000, 140_000)) * MS)

    def _disk_well(self) -> None:
        self.troubles.well()

    def _told(self, report: SinkReport) -> bool:
        process = self.process
        if process is None or not process.alive:
            return False
        process.deliver(lambda: process.put(report))
        return True

    def _do_clock_step(self, chance: Random) -> None:
        self.clock.skew_ms = chance.choice((-3_000, -400, -60, 0, 60, 400, 3_000))

    def _opening(self) -> bool:
        """Is the account read for the first time? A transfer within that read has no defined owner."""
        return self.scheduler.now_ns < OPENED_NS

    def _do_transfer(self, chance: Random) -> None:
        if self._opening():
            return
        self.core.transfer(ACCOUNT, "USDT", Decimal(chance.randint(-50, 200)))
        self.pump()
