"""Planted defects of exits and amends: too large, stuck in silence, proven too early. Each turns its own red alone."""

from copy import deepcopy
from typing import Any

import pytest
from gridops.domain import ids
from gridops.domain.vocabulary import FsmState
from gridops.sim.judge_exits import ALERT_MS, CLOCK_MS, LATE_MS
from tests.sim.tape import Tape, judged
from tests.sim.test_judge_planted import _EFFECTS, _RECORDS, Plant, _event, clean, rows_with

pytestmark = pytest.mark.simulation


def _legs(tape: Tape, index: int) -> list[Any]:
    params = tape.heard[index].said[2]
    return list(params.get("batchOrders", [params]))


def _amends(tape: Tape) -> list[tuple[int, Any]]:
    """Rows that amend, with their bodies."""
    return [(index, body) for index, body, at in rows_with(tape, "Sent") if body[_RECORDS][at][1]["kind"] == "amend"]


def _emergency(tape: Tape, for_ms: int) -> tuple[int, int]:
    """Two marks that far apart, between which it was in EMERGENCY and could tell of it."""
    return tape.lasting(for_ms, lambda heard: heard.state is FsmState.EMERGENCY and not heard.mute)


def _rests_unnamed_in_an_emergency(tape: Tape) -> None:
    """An order of ours that no cancel reaches, and of which nobody is told."""
    first, last = _emergency(tape, ALERT_MS + LATE_MS + 2_000)
    left = deepcopy(tape.heard[_event(tape, "NEW")])
    left.now_ms = tape.heard[first].now_ms
    source = left.said[0]["o"]
    source.update(c=ids.reserved(source["c"]), i=987_656, R=True)
    tape.cut_after(last)
    tape.heard.insert(first, left)


def _reduces_more_than_is_held(tape: Tape) -> None:
    for index in tape.of("write"):
        if tape.heard[index].said[0] == "POST":
            for leg in _legs(tape, index):
                if leg.get("reduceOnly") == "true" and "price" in leg:
                    leg["quantity"] = "0.060"
                    return
    raise AssertionError("nothing was reduced")


def _amends_beyond_a_rung(tape: Tape) -> None:
    """What has filled is added twice to the new total, or something like it."""
    index, body = _amends(tape)[0]
    for name, effect in body[_EFFECTS]:
        for op in effect["ops"] if name == "Send" else ():
            op["lots"] *= 2
    tape.put_row(index, body)
    tape.cut_after(index)


def _amended_by_an_older_intent(tape: Tape) -> None:
    """An amend of before reaches the venue when the next one of that order is on the disk."""
    told = [(at, tape.heard[at].said[0].get("o", {})) for at in tape.of("private")]
    amended = [(at, source["c"]) for at, source in told if source.get("x") == "AMENDMENT"]
    for index, body in _amends(tape):
        names = {op["client_id"] for name, effect in body[_EFFECTS] if name == "Send" for op in effect["ops"]}
        before = next((at for at, client_id in amended if at < index and client_id in names), None)
        if before is not None:
            again = deepcopy(tape.heard[before])
            again.now_ms = tape.heard[index].now_ms
            tape.heard.insert(index + 1, again)
            tape.cut_after(index + 1)
            return
    raise AssertionError("no order was amended twice")


def _flat_by_a_read_of_before(tape: Tape) -> None:
    """The position is not read again once the last order has ended."""
    moves = [(index, body[_RECORDS][at][1]) for index, body, at in rows_with(tape, "Transition")]
    killed = next(index for index, move in moves if move["event"] == "KILL")
    acked = next(index for index, move in moves if move["event"] == "ACK")
    from_ms = tape.heard[killed].now_ms - CLOCK_MS - 1_000
    for index in tape.of("request"):
        heard = tape.heard[index]
        if from_ms < heard.now_ms and index < acked and heard.said[1].endswith("positionRisk"):
            heard.said = (heard.said[0], "/fapi/v3/balance", *heard.said[2:])
    tape.cut_after(acked)


EXITS: tuple[tuple[str, Plant], ...] = (
    ("I-11", _rests_unnamed_in_an_emergency),
    ("I-12", _reduces_more_than_is_held),
    ("I-13", _amends_beyond_a_rung),
    ("I-13", _amended_by_an_older_intent),
    ("I-14", _flat_by_a_read_of_before),
)


@pytest.mark.parametrize(("name", "plant"), EXITS, ids=[f"{name}{plant.__name__}" for name, plant in EXITS])
def test_a_defect_of_an_exit_or_an_amend_turns_its_own_invariant_red(name: str, plant: Plant) -> None:
    tape = clean().copy()
    plant(tape)
    assert judged(tape) == {name}


def test_an_order_that_another_instance_keeps_from_us_need_not_be_named() -> None:
    tape = clean().copy()
    first, _ = _emergency(tape, ALERT_MS + LATE_MS + 2_000)
    index = max(each for each in tape.of("row") if each < first)
    body = tape.row(index)
    edge = {"reason": "foreign_writer", "scope": "account", "open": True, "detail": "planted", "held_ms": 0}
    body[_RECORDS].append(["ConditionEdge", edge])
    tape.put_row(index, body)
    _rests_unnamed_in_an_emergency(tape)
    assert judged(tape) == set()
