"""What an operator is told: what blocks, what would clear it, and whether a signal was taken; decided by the engine."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from gridops.decide.clearing import CLEARED_BY
from gridops.domain.effects import Answer
from gridops.domain.events import Header, OperatorInput, SinkReport, Woke
from gridops.domain.market import Signal
from gridops.domain.records import Note, ShadowEdge
from gridops.domain.rules import GridRules, HealthRules
from gridops.domain.vocabulary import FsmReason, FsmState, OperatorCommand
from gridops.errors import JournalError
from gridops.runtime.codec import decode_row, encode_step, event_of
from gridops.runtime.state_codec import decode_state, encode_state
from tests.runtime.engine_kit import RULES, Desk

R, S, C = FsmReason, FsmState, OperatorCommand


def say(desk: Desk, command: OperatorCommand, **rest: Any) -> Answer:
    wish = OperatorInput(command=command, request_id="r", author="anna", reason="why", **rest)
    (answer,) = (each for each in desk.feed(wish, after_ms=1).effects if isinstance(each, Answer))
    return answer


def toxic(scaled: int = 2_000, ttl_ms: int = 5_000, name: str = "toxicity") -> Signal:
    return Signal(name=name, scaled=scaled, as_of_ms=0, ttl_ms=ttl_ms, source="operator anna", digest="d")


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.up()
    return made


def test_a_resume_without_a_pause_is_refused_and_names_what_holds(desk: Desk) -> None:
    desk.feed(SinkReport(sink="disk", ok=False, detail=""))
    assert desk.fsm() is S.DEGRADED
    answer = say(desk, C.RESUME)
    assert not answer.accepted and answer.state == "DEGRADED" and answer.bundle
    assert "disk_low" in answer.detail and CLEARED_BY[R.DISK_LOW] in answer.detail
    assert any(note.topic == "operator_refused" for note in desk.said(Note))


def test_a_resume_lifts_the_pause_and_names_what_still_holds(desk: Desk) -> None:
    assert say(desk, C.PAUSE).detail == "paused by the operator"
    desk.feed(SinkReport(sink="disk", ok=False, detail=""))
    answer = say(desk, C.RESUME)
    assert answer.accepted and answer.detail.startswith("the pause is lifted; disk_low")


def test_a_resume_while_quoting_says_that_nothing_was_paused(desk: Desk) -> None:
    answer = say(desk, C.RESUME)
    assert answer.accepted and answer.detail == "nothing was paused"


def test_a_pause_below_tells_that_it_is_kept(desk: Desk) -> None:
    desk.feed(SinkReport(sink="disk", ok=False, detail=""))
    answer = say(desk, C.PAUSE)
    assert answer.accepted and answer.state == "DEGRADED"
    assert "holds once DEGRADED ends" in answer.detail and "disk_low" in answer.detail


def test_an_ack_is_refused_with_the_state_or_the_missing_proof(desk: Desk) -> None:
    assert say(desk, C.ACK).detail.startswith("the state is ACTIVE: nothing to acknowledge")
    say(desk, C.KILL)
    answer = say(desk, C.ACK)
    assert not answer.accepted and "--accept-position" in answer.detail


def test_a_signal_acts_at_once_and_expires(desk: Desk) -> None:
    answer = say(desk, C.SIGNAL, signal=toxic())
    assert answer.accepted and answer.state == "PAUSED"
    assert "toxicity_high" in answer.detail and CLEARED_BY[R.TOXICITY_HIGH] in answer.detail
    assert desk.state.signals["toxicity"].as_of_ms == desk.venue_ms
    desk.run_ms(5_200)
    assert desk.state.levels == {}
    desk.run_ms(RULES.health.dwell_ms + 1_000)
    assert desk.fsm() is S.ACTIVE


@pytest.mark.parametrize(
    ("signal", "told"),
    [
        (None, "carries no signal"),
        (toxic(name="mood"), "is no signal"),
        (toxic(scaled=3_001), "outside 0..3000"),
        (toxic(name="maintenance", scaled=2), "outside 0..1"),
        (toxic(ttl_ms=0), "lifetime"),
        (toxic(ttl_ms=86_400_001), "lifetime"),
    ],
)
def test_a_signal_out_of_bounds_is_refused_and_changes_nothing(desk: Desk, signal: Signal | None, told: str) -> None:
    answer = say(desk, C.SIGNAL, signal=signal)
    assert not answer.accepted and told in answer.detail
    assert desk.state.signals == {} and desk.fsm() is S.ACTIVE


def test_signals_are_refused_in_live_mode_unless_the_rules_allow_them(desk: Desk) -> None:
    desk.state.identity.live = True
    answer = say(desk, C.SIGNAL, signal=toxic())
    assert not answer.accepted and "health.signals_live" in answer.detail
    assert desk.state.signals == {}
    desk.state.rules = replace(desk.rules, health=replace(desk.rules.health, signals_live=True))
    assert say(desk, C.SIGNAL, signal=toxic()).accepted


def test_switched_off_is_off(desk: Desk) -> None:
    say(desk, C.SIGNAL, signal=toxic(name="loss_streak", scaled=1))
    assert desk.fsm() is S.PAUSED
    say(desk, C.SIGNAL, signal=toxic(name="loss_streak", scaled=0))
    assert desk.state.levels == {}


def test_the_signal_is_part_of_the_journaled_input(desk: Desk) -> None:
    say(desk, C.SIGNAL, signal=toxic())
    header, event, body = desk.history[-1]
    assert event_of(decode_row(body)) == event
    assert event_of(decode_row(encode_step(header, event, b"[]", ()))) == event


def test_a_shadow_level_is_kept_in_the_checkpoint_and_told_on_edges_only() -> None:
    desk = Desk(replace(RULES, health=HealthRules(shadow=(R.DISK_LOW,))))
    desk.up()
    desk.feed(SinkReport(sink="disk", ok=False, detail=""))
    desk.run_ms(3_000)
    assert [(edge.reason, edge.open) for edge in desk.said(ShadowEdge)] == [(R.DISK_LOW, True)]
    assert desk.fsm() is S.ACTIVE and desk.state.levels == {}
    assert decode_state(encode_state(desk.state)).shadow == desk.state.shadow != {}
    desk.feed(SinkReport(sink="disk", ok=True, detail=""))
    assert [edge.open for edge in desk.said(ShadowEdge)] == [True, False]


def test_a_price_outside_the_range_pauses_without_waiting_for_a_deadline() -> None:
    desk = Desk(replace(RULES, grid=GridRules(levels=3, high_price=Decimal("65050"))))
    desk.up()
    desk.view(650_600)
    assert desk.fsm() is S.PAUSED
    assert [level.reason for level in desk.state.levels.values()] == [R.OUT_OF_RANGE]
    desk.view(650_300)
    assert desk.state.levels == {}


def test_a_book_of_trips_that_differs_from_the_position_degrades(desk: Desk) -> None:
    desk.state.symbols["BTCUSDT"].position_lots += 1
    desk.run_ms(1_500)
    assert any(level.reason is R.INVARIANT_BROKEN for level in desk.state.levels.values())
    assert desk.fsm() is S.DEGRADED


def test_a_row_that_is_no_text_is_refused_as_unreadable() -> None:
    body = encode_step(Header(seq=1, wall_ms=1, boot_ns=1, boot_id="boot", venue_ms=1), Woke(), b"[]", ())
    with pytest.raises(JournalError, match="not readable"):
        decode_row(body.replace(b'"boot"', b'"\xd5oot"'))
