"""Each invariant turns red on a defect planted for it: a judge that never convicts proves nothing."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from gridops.adapters import venue_orders
from gridops.decide import permissions, sequence
from gridops.domain.rules import HealthRules, RiskRules, SyncRules
from gridops.domain.vocabulary import FsmState, OperatorCommand, OpKind
from gridops.runtime import act, observe_fills, pages, truth
from gridops.runtime.ports_journal import InputRow, Tail
from gridops.runtime.state import SymbolState
from gridops.sim.day import RULES, Day
from gridops.sim.faults import CALM, FaultRates
from gridops.sim.judge_requests import RequestJudge
from gridops.sim.memory_journal import MemoryJournal
from gridops.sim.rest_link import Ask, Done, Refusal
from gridops.sim.run import run_day
from gridops.sim.scheduler import SECOND, LinkRates
from gridops.sim.sim_loop import SimLease
from gridops.sim.violation import Verdicts

pytestmark = pytest.mark.simulation
Prepare = Callable[[Day], None]


def broken(prepare: Prepare, faults: FaultRates = CALM, *, hours: float = 0.25, seed: int = 5) -> str:
    """The invariant that the run ends with, empty when none broke."""
    return run_day(seed, hours=hours, faults=faults, prepare=prepare).invariant


def as_it_is(_: Day) -> None:
    """No defect."""


def test_a_calm_run_without_a_defect_is_acquitted_and_did_trade() -> None:
    report = run_day(5, hours=0.25, faults=CALM)
    assert report.violation == ""
    assert report.fills > 20
    assert report.order_events > 100


@pytest.mark.parametrize(
    ("seed", "faults"),
    [
        # Frozen before a ban's answers reached the disk, which they did in the next ban, that nobody had told.
        (4009762, "freeze#1,ban#1,ban#2"),
        # Frozen for over two minutes three seconds after its clock was set.
        (4009969, "freeze#1,freeze#2,disk_fails#1,clock_step#1,freeze#3"),
        # Another hand opened a position once an emergency was over, and no stream told of it.
        (7009096, "user_silent#1,kill#1,foreign_order#1"),
        # Told of a lost bundle just before it froze; the condition had closed again when it was looked at next.
        (8001023, "disk_no_evidence#1,kill#1,freeze#1"),
        (8001023, "disk_no_evidence#1,market_down#1,kill#1,freeze#1"),
    ],
)
def test_who_stood_still_or_could_not_know_is_not_accused(seed: int, faults: str) -> None:
    assert run_day(seed, hours=0.1, only=frozenset(faults.split(","))).violation == ""


def test_a_ban_is_held_against_the_end_that_was_told() -> None:
    verdicts, now_ms = Verdicts(), 0
    verdicts.collecting = True
    asks = RequestJudge(verdicts, lambda: now_ms)
    asks.banned_until_ms = lambda: 60_000
    asks.ban_told(30_000)
    for now_ms, accused in ((29_000, 1), (30_000, 1)):
        asks.request("GET", "/fapi/v1/time", now_ms, {})
        assert len(verdicts.found) == accused


def test_a_place_that_does_not_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    put = MemoryJournal._put

    def hasty(self: MemoryJournal, entry: Any) -> Any:
        token = put(self, entry)
        assert not isinstance(token, type(None))
        token.settle(None)  # type: ignore[attr-defined]
        return token

    def slow_disk(day: Day) -> None:
        day.disk.slow_us = 60_000

    monkeypatch.setattr(MemoryJournal, "_put", hasty)
    assert broken(slow_disk) == "I-01"


def test_a_transport_that_repeats_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def repeating(day: Day) -> None:
        exchange = day.rest.exchange

        def twice(ask: Ask, done: Done) -> None:
            exchange(ask, done)
            if ask.endpoint.startswith("fapiPrivatePost"):
                day.scheduler.after(2 * SECOND, lambda: exchange(ask, lambda _: None))

        day.rest.exchange = twice  # type: ignore[method-assign]

    assert broken(repeating, hours=0.5) == "I-02"


def test_an_unanswered_place_that_is_repeated_under_a_new_id() -> None:
    def doubling(day: Day) -> None:
        exchange = day.rest.exchange

        def twice(ask: Ask, done: Done) -> None:
            exchange(ask, done)
            if ask.endpoint == "fapiPrivatePostBatchOrders":
                legs = [
                    {**leg, "newClientOrderId": leg["newClientOrderId"][:-1] + "f"} for leg in ask.params["batchOrders"]
                ]
                day.judge.intents.placed.update(leg["newClientOrderId"] for leg in legs)
                exchange(Ask(ask.endpoint, {"batchOrders": legs}, ask.stamp_ms), lambda _: None)

        day.rest.exchange = twice  # type: ignore[method-assign]

    assert broken(doubling) in ("I-05", "I-09")


def test_a_fill_booked_each_time_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget_all(symbol: SymbolState) -> None:
        del symbol.trade_ids[:]

    monkeypatch.setattr(observe_fills, "_forget_old", forget_all)
    assert broken(as_it_is, FaultRates(user=LinkRates(duplicate_ppm=200_000))) == "I-06"


def test_a_cap_that_does_not_bind() -> None:
    def boundless(day: Day) -> None:
        risk = RiskRules(symbol_cap=Decimal(90_000), account_cap=Decimal(90_000))
        day.rules = _with(risk=risk)

    assert broken(boundless, hours=1.0) == "I-09"


def test_a_pause_that_goes_on_quoting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(permissions.PERMISSIONS, FsmState.PAUSED, permissions.PERMISSIONS[FsmState.ACTIVE])
    monkeypatch.setattr(act, "_QUOTING", (*act._QUOTING, FsmState.PAUSED))
    assert broken(as_it_is, FaultRates(pause=20), hours=0.5) == "I-10"


def test_an_exit_without_the_reduce_only_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = venue_orders.fields

    def bare(*given: Any) -> dict[str, Any]:
        made = fields(*given)
        made.pop("reduceOnly", None)
        return made

    monkeypatch.setattr(venue_orders, "fields", bare)
    assert broken(as_it_is, FaultRates(kill=20), hours=0.5) == "I-12"


def test_silence_of_the_market_that_nobody_notices() -> None:
    def deaf(day: Day) -> None:
        day.rules = _with(health=HealthRules(feed_stale_ms=10**9, mark_stale_ms=10**9))

    assert broken(deaf, FaultRates(market_silent=60), hours=0.5) == "I-16"


def test_a_deadline_that_is_always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth, "deadline_ms", lambda state: state.now_ms + 1)
    assert broken(as_it_is) == "I-17"


def test_a_fill_that_moves_the_position_too_far(monkeypatch: pytest.MonkeyPatch) -> None:
    book = observe_fills.book
    booked: list[int] = []

    def once_more(state: Any, symbol: Any, fill: Any, order: Any, out: Any) -> bool:
        new = book(state, symbol, fill, order, out)
        if new and not booked:
            booked.append(fill.trade_id)
            symbol.position_lots += 1
        return new

    monkeypatch.setattr(observe_fills, "book", once_more)
    assert broken(as_it_is, hours=0.1) == "I-07"


def test_fees_that_the_ledger_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_fee(state: Any, symbol: Any, fill: Any) -> None:
        observe_fills.add(state.ledger.wallet, symbol.instrument.settle_asset, fill.realised)

    monkeypatch.setattr(observe_fills, "_book_money", without_fee)
    assert broken(as_it_is, hours=0.1) == "I-21"


def test_a_row_that_changed_on_the_disk() -> None:
    def flipping(day: Day) -> None:
        tail = day.disk.tail

        def flipped() -> Tail:
            found = tail()
            rows = [InputRow(r.seq, r.wall_ms, r.kind, r.body.replace(b"WITHIN", b"within")) for r in found.rows]
            rows = [InputRow(r.seq, r.wall_ms, r.kind, r.body.replace(b'"noop"', b'"amend"')) for r in rows]
            return Tail(checkpoint=found.checkpoint, rows=rows, torn=0)

        day.disk.tail = flipped  # type: ignore[method-assign]

    assert broken(flipping, FaultRates(crash=30)) == "I-24"


def test_trust_that_never_comes_back() -> None:
    def sulking(day: Day) -> None:
        day.rules = _with(health=HealthRules(dwell_ms=10**9))

    assert broken(sulking, FaultRates(user_down=60), hours=0.1) == "I-17"


def test_a_lease_that_is_gone_and_believed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(day: Day) -> None:
        def lose() -> None:
            assert day.process is not None
            day.process.lease.held = False

        day.scheduler.at(60 * SECOND, lose)

    monkeypatch.setattr(SimLease, "check", lambda _: True)
    assert broken(losing, hours=0.1) == "I-25"


def test_reads_that_never_rest() -> None:
    def curious(day: Day) -> None:
        day.rules = _with(sync=SyncRules(income_ms=200))

    assert broken(curious, hours=0.1) == "I-27"


@pytest.mark.parametrize(("told", "invariant"), [(True, ""), (False, "I-11")])
def test_a_position_whose_reductions_are_refused(monkeypatch: pytest.MonkeyPatch, told: bool, invariant: str) -> None:
    """The orders go; what is held does not, and an operator has to hear of it."""

    def refusing(day: Day) -> None:
        def strike() -> None:
            assert day.judge.position, "nothing to close"
            until_ms = day.clock.true_ms() + 40_000
            day.rest.refusals.append(
                Refusal(path="rder", method="POST", status=400, code=-4131, message="no", until_ms=until_ms)
            )
            day.operator(OperatorCommand.KILL)

        day.scheduler.at(80 * SECOND, strike)

    if not told:
        monkeypatch.setattr(pages, "_still_open", lambda *_: iter(()))
    assert broken(refusing, hours=0.05) == invariant


@pytest.mark.parametrize(("told", "invariant"), [(True, ""), (False, "I-11")])
def test_cancels_that_are_refused_in_an_emergency(monkeypatch: pytest.MonkeyPatch, told: bool, invariant: str) -> None:
    """An operator who is told of the order acquits the engine."""

    def refusing(day: Day) -> None:
        def strike() -> None:
            day.operator(OperatorCommand.KILL)
            until_ms = day.clock.true_ms() + 40_000
            refusal = Refusal(path="rder", method="DELETE", status=400, code=-1000, message="no", until_ms=until_ms)
            day.rest.refusals.append(refusal)

        day.scheduler.at(60 * SECOND, strike)
        day.scheduler.at(100 * SECOND, lambda: day.rest.refusals.clear())

    if not told:
        monkeypatch.setattr(pages, "UNPROVEN_MS", 10**9)
    assert broken(refusing, hours=0.1) == invariant


def test_an_exit_larger_than_what_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = venue_orders.fields

    def larger(*given: Any) -> dict[str, Any]:
        made = fields(*given)
        if made.get("reduceOnly") == "true":
            made["quantity"] = str(Decimal(made["quantity"]) * 10)
        return made

    monkeypatch.setattr(venue_orders, "fields", larger)
    assert broken(as_it_is) == "I-12"


def test_an_amend_that_adds_to_a_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    request = sequence._write_request

    def adding(*given: Any) -> Any:
        made = request(*given)
        return replace(made, lots=made.lots * 2) if made.kind is OpKind.AMEND else made

    monkeypatch.setattr(sequence, "_write_request", adding)
    assert broken(as_it_is) == "I-13"


def _with(**parts: Any) -> Any:
    fields = {name: getattr(RULES, name) for name in RULES.__slots__}  # type: ignore[attr-defined]
    return type(RULES)(**{**fields, **parts})


def _another(leg: Any) -> str:
    return str(leg["newClientOrderId"][:-1] + "f")
