"""Looks and remedies through the real step: answered by fresh reads, carried out by digest, refused by name."""

import json
from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from gridops.decide.sync import WISH_MS
from gridops.domain.effects import Answer, Query, Send
from gridops.domain.events import Boot, OperatorInput, QueryReply, VenueNotice
from gridops.domain.instrument import Instrument
from gridops.domain.orders import VenueOrder, VenueTrade
from gridops.domain.records import Booked, MismatchSeen, Remedied, TripClosed
from gridops.domain.rules import SyncRules
from gridops.domain.vocabulary import (
    FsmState,
    MismatchKind,
    OperatorCommand,
    OpKind,
    QueryKind,
    Severity,
    Side,
    VenueCode,
)
from gridops.runtime import facts, remedy
from gridops.runtime.engine import Engine
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import decode_state, encode_state
from tests.runtime.engine_kit import INSTRUMENT, RULES, SYMBOL, Desk

K = MismatchKind


def desk_up(**rules: Any) -> Desk:
    desk = Desk(replace(RULES, **rules))
    desk.up()
    return desk


def trade(desk: Desk, trade_id: int, lots: int, *, age_ms: int = 5_000) -> VenueTrade:
    return VenueTrade(
        symbol=SYMBOL, trade_id=trade_id, venue_id="9999", side=Side.BUY if lots > 0 else Side.SELL,
        price_ticks=650_000, lots=abs(lots), fee=Decimal(0), fee_asset="USDT", realised=Decimal(0), maker=False,
        at_ms=desk.venue_ms - age_ms,
    )  # fmt: skip


def look(desk: Desk, digest: str = "", *, within_ms: int = 12_000) -> tuple[Answer, dict[str, Any], list[Send]]:
    """One request to its answer; what was sent on the way."""
    began = len(desk.effects)
    desk.settle(
        desk.feed(
            OperatorInput(command=OperatorCommand.SYNC, request_id="r1", author="anna", reason="look", digest=digest)
        )
    )
    until = desk.at_ms + within_ms
    while not [each for each in desk.effects[began:] if isinstance(each, Answer)] and desk.at_ms < until:
        desk.settle(desk.view(after_ms=100))
    (answer,) = [each for each in desk.effects[began:] if isinstance(each, Answer)]
    sends = [e for e in desk.effects[began:] if isinstance(e, Send) and e.kind is not OpKind.DEADMAN]
    return answer, json.loads(answer.document), sends


def phantom(desk: Desk, lots: int) -> None:
    """The venue's position moves and no trade says why; run until that is confirmed and the trades are read."""
    desk.position += lots
    desk.run_ms(45_000)


def open_kinds(desk: Desk) -> set[MismatchKind]:
    return {each.kind for each in desk.state.sync.suspicions.values() if each.confirmed}


def test_an_agreeing_account_is_no_finding_and_nothing_is_written() -> None:
    desk = desk_up()
    answer, document, sends = look(desk)
    assert answer.accepted and document["items"] == [] and document["not_read"] == []
    assert sends == []
    assert [row["symbol"] for row in document["symbols"]] == [SYMBOL]


def test_the_answer_rests_on_reads_that_began_after_the_request() -> None:
    desk = desk_up()
    began_ms = desk.state.now_ms
    look(desk)
    for kind, name in (
        (QueryKind.POSITIONS, ""),
        (QueryKind.OPEN_ORDERS, SYMBOL),
        (QueryKind.TRADES, SYMBOL),
        (QueryKind.INCOME, ""),
        (QueryKind.RULES, ""),
    ):
        assert desk.state.sync.last_ok[f"{kind}|{name}"] >= began_ms, kind


def test_a_phantom_position_stays_degraded_until_its_plan_is_applied() -> None:
    desk = desk_up()
    rung = desk.state.symbols[SYMBOL].rung_lots
    phantom(desk, 3 * rung)
    assert open_kinds(desk) == {K.POSITION_QTY}
    assert desk.fsm() is FsmState.DEGRADED
    _, document, _ = look(desk)
    (item,) = document["items"]
    assert (item["remedy"], item["safe"], item["ready"]) == ("unattributed", False, True)
    assert item["lots"] == 3 * rung and item["local"] == "0" and item["venue"] == str(3 * rung)
    assert {gate["gate"] for gate in item["gates"]} == {"kill", "drawdown", "lease", "arm", "budget"}
    assert desk.said(Booked) == []
    done, after, _ = look(desk, document["digest"])
    assert done.accepted, done.detail
    (booked,) = desk.said(Booked)
    assert (booked.kind, booked.lots, booked.amount) == ("unattributed", 3 * rung, 0)
    symbol = desk.state.symbols[SYMBOL]
    assert symbol.position_lots == desk.position == symbol.trips.open_lots()
    assert symbol.trips.lots[-1].fill_ids == []
    assert [r.outcome for r in desk.said(Remedied)] == ["applied"]
    assert len(after["applied"]) == 1
    desk.run_ms(40_000)
    assert open_kinds(desk) == set() and facts._contradiction(desk.state) == ""
    assert desk.fsm() is FsmState.ACTIVE


def test_the_configuration_may_let_the_engine_book_it() -> None:
    desk = desk_up(sync=SyncRules(auto=("import", "adopt", "unattributed")))
    phantom(desk, 2)
    assert desk.state.symbols[SYMBOL].position_lots == 2
    assert [each.lots for each in desk.said(Booked)] == [2]
    assert open_kinds(desk) == set()


def test_an_entry_against_the_position_closes_lots_at_the_mark() -> None:
    desk = desk_up(sync=SyncRules(auto=("unattributed",)))
    phantom(desk, 4)
    phantom(desk, -6)
    symbol = desk.state.symbols[SYMBOL]
    assert [each.lots for each in desk.said(Booked)] == [4, -6]
    assert symbol.position_lots == symbol.trips.open_lots() == -2
    assert len(desk.said(TripClosed)) == 1


def test_a_trade_that_explains_the_position_is_imported_and_nothing_is_unattributed() -> None:
    desk = desk_up(sync=SyncRules(auto=("import", "adopt", "unattributed")))
    desk.run_ms(10_000)
    desk.position += 5
    desk.trades.append(trade(desk, 71, 5))
    desk.run_ms(45_000)
    assert desk.state.symbols[SYMBOL].position_lots == 5
    assert desk.said(Booked) == []
    missing = [each for each in desk.said(MismatchSeen) if each.kind is K.FILL_MISSING]
    assert [(each.local, each.venue, each.closed) for each in missing] == [("0", "5", False), ("0", "5", True)]
    assert missing[0].bundle and missing[0].confirmed


def test_a_plan_whose_world_moved_is_refused_and_changes_nothing() -> None:
    desk = desk_up()
    phantom(desk, 30)
    _, document, _ = look(desk)
    desk.position += 1
    answer, _, sends = look(desk, document["digest"])
    assert not answer.accepted and answer.detail.startswith("digest: the world moved")
    assert desk.said(Booked) == [] and sends == []
    assert {r.outcome for r in desk.said(Remedied)} == {"refused"}


@pytest.mark.parametrize("gate", ["kill", "drawdown", "lease", "arm", "budget"])
def test_each_switch_refuses_by_name(gate: str) -> None:
    desk = desk_up()
    phantom(desk, 30)
    _, document, _ = look(desk)
    spoil(desk, gate)
    plan = remedy.propose(desk.state)
    assert plan.refused_by.startswith(gate)
    assert remedy._apply_refusal(plan, document["digest"], []).startswith(gate)


def spoil(desk: Desk, gate: str) -> None:
    state = desk.state
    match gate:
        case "kill":
            state.wishes.killed = True
        case "drawdown":
            state.drawdown = replace(state.drawdown, latched=True)
        case "lease":
            state.health.lease_held = False
        case "arm":
            state.identity.armed = False
        case "budget":
            state.budget.banned_until_ms = state.venue_ms + 60_000


def test_the_digest_is_of_the_world_and_not_of_time() -> None:
    desk = desk_up()
    phantom(desk, 30)
    first, again = remedy.propose(desk.state).digest, remedy.propose(desk.state).digest
    desk.run_ms(20_000)
    assert first == again == remedy.propose(desk.state).digest
    desk.position += 1
    desk.run_ms(20_000)
    assert remedy.propose(desk.state).digest != first


def test_a_wallet_no_row_explains_is_a_finding_and_its_entry_is_explicit() -> None:
    desk = desk_up()
    desk.wallet += Decimal("1.5")
    desk.run_ms(150_000)
    assert K.BALANCE_RESIDUAL in open_kinds(desk)
    _, document, _ = look(desk)
    (item,) = document["items"]
    assert (item["kind"], item["remedy"], item["key"]) == ("balance_residual", "unattributed", "USDT")
    done, _, _ = look(desk, document["digest"])
    assert done.accepted, done.detail
    assert [(each.kind, each.amount) for each in desk.said(Booked)] == [("unattributed", Decimal("1.5"))]
    assert desk.state.ledger.wallet["USDT"] == desk.wallet


def test_leverage_that_changed_freezes_its_symbol_and_says_why() -> None:
    desk = desk_up()
    told = [(20, False), (5, True)]
    for leverage, changed in told:
        for _ in range(2):
            answer_rules(desk, leverages=((SYMBOL, leverage),))
        assert (K.LEVERAGE_CHANGED in open_kinds(desk)) is changed
    seen = [each for each in desk.said(MismatchSeen) if each.kind is K.LEVERAGE_CHANGED]
    assert [(each.local, each.venue, each.severity) for each in seen] == [("20", "5", Severity.WARN)]
    worst, detail = facts._mismatch(desk.state, SYMBOL)
    assert worst is Severity.WARN and "leverage_changed" in detail


def answer_rules(desk: Desk, *, instrument: Instrument = INSTRUMENT, **fields: Any) -> None:
    """The next rules read, with these answers."""
    desk.feed(VenueNotice(kind="ACCOUNT_CONFIG_UPDATE", symbol="", detail="", event_ms=0), after_ms=500)
    query = None
    while query is None:
        done = desk.view(after_ms=300)
        asked = [each for each in done.effects if isinstance(each, Query) and each.kind is QueryKind.RULES]
        query = asked[0] if asked else None
        desk.settle(replace(done, effects=[each for each in done.effects if each not in asked]))
    desk.feed(desk.reply(query, instruments=(instrument,), **fields))


def test_new_filters_are_adopted_with_evidence_and_a_new_tick_stays_critical() -> None:
    desk = desk_up()
    answer_rules(desk, instrument=replace(INSTRUMENT, min_lots=2))
    assert desk.state.symbols[SYMBOL].instrument.min_lots == 2
    seen = [each for each in desk.said(MismatchSeen) if each.kind is K.FILTERS_CHANGED]
    assert [(each.severity, each.local, each.venue) for each in seen[:1]] == [
        (Severity.WARN, "min_lots=1", "min_lots=2")
    ]
    coarse = replace(INSTRUMENT, min_lots=2, tick_size=Decimal("0.5"))
    for _ in range(2):
        answer_rules(desk, instrument=coarse)
    assert desk.said(MismatchSeen)[-1].severity is Severity.CRITICAL
    assert desk.state.symbols[SYMBOL].instrument.tick_size == INSTRUMENT.tick_size


@pytest.mark.parametrize("kind", [K.DUPLICATE_KEY, K.TIME_REGRESSION, K.MALFORMED])
def test_a_read_that_contradicts_itself_is_discarded_and_two_in_a_row_are_a_finding(kind: MismatchKind) -> None:
    desk = desk_up()
    for _ in range(2):
        read(desk, kind)
    assert open_kinds(desk) == {kind}
    assert desk.state.symbols[SYMBOL].venue_lots == 0, "nothing of it was believed"
    desk.run_ms(40_000)
    assert open_kinds(desk) == set()


@pytest.mark.parametrize(("code", "asks_time"), [(VenueCode.CLOCK, True), (VenueCode.OVERLOADED, False)])
def test_a_read_refused_for_its_time_asks_for_the_time_at_once(code: VenueCode, asks_time: bool) -> None:
    desk = desk_up()
    refused = replace(awaited(desk), ok=False, code=code, detail="refused", positions=())
    read_ms = desk.state.health.clock_read_ms
    desk.settle(desk.feed(refused))
    desk.run_ms(2 * WISH_MS)
    assert (desk.state.health.clock_read_ms > read_ms) is asks_time


def awaited(desk: Desk) -> QueryReply:
    """The good answer to the next position read, which nobody has given yet."""
    desk.state.sync.wanted["positions|"] = desk.state.now_ms
    query = None
    while query is None:
        done = desk.view(after_ms=300)
        asked = [each for each in done.effects if isinstance(each, Query) and each.kind is QueryKind.POSITIONS]
        query = asked[0] if asked else None
        desk.settle(replace(done, effects=[each for each in done.effects if each not in asked]))
    return desk.reply(query)


def read(desk: Desk, kind: MismatchKind) -> None:
    """The next position read, spoiled."""
    good = awaited(desk)
    row = replace(good.positions[0], lots=9)
    match kind:
        case K.DUPLICATE_KEY:
            desk.feed(replace(good, positions=(row, row)))
        case K.TIME_REGRESSION:
            desk.feed(replace(good, positions=(replace(row, updated_ms=1),)))
        case _:
            detail = "an odd reply: positionAmt is no number"
            desk.feed(replace(good, ok=False, code=VenueCode.OTHER, detail=detail, positions=()))


def test_modes_that_changed_are_confirmed_with_evidence() -> None:
    desk = desk_up()
    for _ in range(2):
        desk.state.sync.wanted["positions|"] = desk.state.now_ms
        query = None
        while query is None:
            done = desk.view(after_ms=300)
            asked = [each for each in done.effects if isinstance(each, Query) and each.kind is QueryKind.POSITIONS]
            query = asked[0] if asked else None
            desk.settle(replace(done, effects=[each for each in done.effects if each not in asked]))
        good = desk.reply(query)
        assert good.modes is not None
        desk.feed(replace(good, modes=replace(good.modes, hedge=True)))
    assert open_kinds(desk) == {K.MODE_CHANGED}
    assert "hedge=True" in desk.said(MismatchSeen)[-1].venue and desk.said(MismatchSeen)[-1].bundle


def test_an_observer_reads_and_writes_nothing_of_its_own() -> None:
    desk = desk_up()
    desk.run_ms(2_000)
    assert desk.orders, "there is something it could cancel"
    desk.sent.clear()
    observe(desk)
    desk.run_ms(70_000)
    assert desk.sent == []


def observe(desk: Desk) -> None:
    """The engine ends, and an observer takes its journal over."""
    boot = desk.history[0][1]
    assert isinstance(boot, Boot)
    desk.settle(desk.feed(replace(boot, epoch=boot.epoch + 1, run_id="look00000001", observer=True)))


def orphan(desk: Desk) -> str:
    """An order at the venue with our tag that the journal does not know."""
    known = next(e for e in desk.effects if isinstance(e, Send) and e.kind is OpKind.PLACE).ops[0].client_id
    client_id = known[:-4] + ("0000" if known[-4:] != "0000" else "1111")
    desk.open_orders[client_id] = VenueOrder(
        client_id=client_id, venue_id="777", symbol=SYMBOL, side=Side.BUY, price_ticks=640_000, lots=1, filled_lots=0,
        reduce_only=False, order_type="LIMIT", tif="GTX", status="NEW", updated_ms=desk.venue_ms - 60_000,
    )  # fmt: skip
    return client_id


def test_an_orphan_is_cancelled_by_an_applied_plan_and_by_nothing_else() -> None:
    desk = desk_up()
    observe(desk)
    client_id = orphan(desk)
    desk.sent.clear()
    _, document, sends = look(desk)
    assert sends == [] and desk.sent == []
    items = [each for each in document["items"] if each["kind"] == "order_orphan_own"]
    assert [(each["remedy"], each["safe"], each["ready"]) for each in items] == [("cancel", True, True)]
    done, _, _ = look(desk, document["digest"])
    assert done.accepted, done.detail
    assert [(op.kind, op.client_id) for op in desk.sent] == [(OpKind.CANCEL, client_id)]


def test_looks_remedies_and_an_observer_replay_byte_for_byte() -> None:
    desk = desk_up()
    phantom(desk, 30)
    _, document, _ = look(desk)
    look(desk, document["digest"])
    observe(desk)
    orphan(desk)
    _, document, _ = look(desk)
    look(desk, document["digest"])
    again = Engine(EngineState(rules=desk.rules))
    for header, event, body in desk.history:
        assert again.handle(header, event)[1] == body, header.seq
    restored = decode_state(encode_state(desk.state))
    assert encode_state(restored) == encode_state(again.state) == encode_state(desk.state)


SWITCHES = ("kill", "drawdown", "lease", "arm", "budget")


@pytest.mark.parametrize(
    "shut", list(product((False, True), repeat=5)), ids=lambda bits: "".join(map(str, map(int, bits)))
)
def test_of_the_32_cells_only_the_all_clear_one_writes(shut: tuple[bool, ...]) -> None:
    desk = desk_up()
    observe(desk)
    client_id = orphan(desk)
    _, document, _ = look(desk)
    closed = [gate for gate, bit in zip(SWITCHES, shut, strict=True) if bit]
    for gate in closed:
        spoil(desk, gate)
    desk.sent.clear()
    answer, _, _ = look(desk, document["digest"])
    if closed:
        assert desk.sent == [] and not answer.accepted
        assert answer.detail.startswith(f"{closed[0]}:"), answer.detail
    else:
        assert [(op.kind, op.client_id) for op in desk.sent] == [(OpKind.CANCEL, client_id)]
