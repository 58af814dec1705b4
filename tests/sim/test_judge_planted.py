"""Planted defects, one an invariant and one each further half: each turns its own red alone, a clean tape none."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from functools import cache, partial
from typing import Any

import pytest
from gridops.domain import ids
from gridops.domain.rules import GridRules
from gridops.domain.vocabulary import FsmState
from gridops.sim import run
from gridops.sim.day import Day
from gridops.sim.faults import CALM, FaultRates
from gridops.sim.invariants import INVARIANTS
from gridops.sim.judge import CANARY, WAKES_PER_S
from tests.sim.tape import Tape, judged, record

pytestmark = pytest.mark.simulation
Plant = Callable[[Tape], None]
SEED = 10
_HEADER, _KIND, _EVENT, _RECORDS, _EFFECTS = range(5)


@cache
def clean() -> Tape:
    return record(SEED)


def rows_with(tape: Tape, record_kind: str) -> list[tuple[int, Any, int]]:
    """(index, body, place in the records) of each record of that kind."""
    found = []
    for index in tape.of("row"):
        if f'"{record_kind}"'.encode() in tape.heard[index].said[0].body:
            body = tape.row(index)
            found += [(index, body, at) for at, said in enumerate(body[_RECORDS]) if said[0] == record_kind]
    return found


def _own(payload: Any, execution: str) -> bool:
    source = payload.get("o", {})
    return source.get("x") == execution and ids.owner(source["c"]) is not None and not source["R"]


def _event(tape: Tape, execution: str, after: int = 0) -> int:
    return next(i for i in tape.of("private") if i > after and _own(tape.heard[i].said[0], execution))


def write(tape: Tape, method: str, last: bool = False) -> tuple[int, Any]:
    """A request that raises risk, and its first leg."""
    fits = [
        (i, tape.heard[i].said[2].get("batchOrders", [tape.heard[i].said[2]])[0])
        for i in tape.of("write")
        if tape.heard[i].said[0] == method and "rder" in tape.heard[i].said[1] and tape.heard[i].said[1][-5:] != "elAll"
    ]
    fits = [(i, leg) for i, leg in fits if leg.get("reduceOnly") != "true" and "quantity" in leg]
    return fits[-1 if last else 0]


def _without_intents(tape: Tape) -> None:
    index = _event(tape, "NEW")
    named = tape.heard[index].said[0]["o"]["c"].encode()
    for at in tape.of("row"):
        if named in tape.heard[at].said[0].body:
            body = tape.row(at)
            body[_EFFECTS] = [each for each in body[_EFFECTS] if each[0] != "Send"]
            tape.put_row(at, body)
            break


def _accepted_twice(tape: Tape) -> None:
    index = _event(tape, "NEW")
    tape.heard.insert(index + 1, deepcopy(tape.heard[index]))
    tape.cut_after(index + 1)


def _declared_dead(tape: Tape, kind: str) -> None:
    """A row that ends an order by a reply, or by a read, while it rests."""
    client_id = tape.heard[_event(tape, "NEW")].said[0]["o"]["c"]
    taken = _event(tape, "NEW")
    index = next(i for i in tape.of("row") if i > taken and tape.heard[i].said[0].kind == kind)
    body = tape.row(index)
    ended = {
        "client_id": client_id, "symbol": "BTCUSDT", "level": 1, "from_state": "SENT", "to_state": "FAILED",
        "filled_lots": 0, "detail": "planted",
    }  # fmt: skip
    body[_RECORDS].append(["OrderMoved", ended])
    tape.put_row(index, body)
    tape.cut_after(index)


def _reopened(tape: Tape) -> None:
    index, body, at = next(f for f in rows_with(tape, "OrderMoved") if f[1][_RECORDS][f[2]][1]["to_state"] == "FILLED")
    again = {**body[_RECORDS][at][1], "from_state": "FILLED", "to_state": "OPEN"}
    body[_RECORDS].append(["OrderMoved", again])
    tape.put_row(index, body)
    tape.cut_after(index)


def _fewer_levels(tape: Tape) -> None:
    fields = {name: getattr(tape.rules, name) for name in tape.rules.__slots__}  # type: ignore[attr-defined]
    tape.rules = type(tape.rules)(**{**fields, "grid": GridRules(levels=1, rung_notional=Decimal(400))})


def _booked_twice(tape: Tape) -> None:
    index = next(i for i in tape.of("row") if tape.heard[i].said[0].fills)
    row = tape.heard[index].said[0]
    tape.put_row(index, tape.row(index), fills=row.fills * 2)


def _another_position(tape: Tape) -> None:
    tape.state = deepcopy(tape.state)
    next(iter(tape.state.symbols.values())).position_lots += 1


def _off_the_tick(tape: Tape) -> None:
    _, leg = write(tape, "POST")
    leg["price"] = leg["price"].split(".")[0] + ".05"


def _a_thousandfold(tape: Tape) -> None:
    source = tape.heard[_event(tape, "NEW")].said[0]["o"]
    source["q"] = str(Decimal(source["q"]) * 1_000)


def _in_pause(tape: Tape) -> None:
    index, _ = write(tape, "POST")
    tape.heard[index] = replace(tape.heard[index], state=FsmState.PAUSED)


def _gate_for_a_reduction(tape: Tape) -> None:
    index = tape.of("row")[50]
    body = tape.row(index)
    refused = {
        "gate": "drawdown", "intent": "reduce", "symbol": "BTCUSDT", "level": 0, "detail": "planted",
        "all_refusals": "",
    }  # fmt: skip
    body[_RECORDS].append(["GateRefused", refused])
    tape.put_row(index, body)


def _bare_market_order(tape: Tape) -> None:
    for index in tape.of("write"):
        params = tape.heard[index].said[2]
        if params.get("type") == "MARKET":
            params.pop("reduceOnly")
            return
    raise AssertionError("no kill closed a position on this tape")


def _amended_to_nothing(tape: Tape) -> None:
    """An order of which a part is filled is amended to that part."""
    _, leg = write(tape, "PUT")
    leg["quantity"] = "0.000"


def _killed_and_resting(tape: Tape) -> None:
    """When a kill is acknowledged, an order of ours of which the engine knows nothing any more still rests."""
    acked = next(f for f in rows_with(tape, "Transition") if f[1][_RECORDS][f[2]][1]["event"] == "ACK")[0]
    left = deepcopy(tape.heard[_event(tape, "NEW")])
    left.now_ms = tape.heard[acked].now_ms
    source = left.said[0]["o"]
    source.update(c=ids.reserved(source["c"]), i=987_655, R=True)
    tape.heard.insert(acked, left)
    tape.cut_after(acked + 1)


def _silent_transition(tape: Tape) -> None:
    moves = rows_with(tape, "Transition")
    index, body, at = next(f for f in moves if f[1][_RECORDS][f[2]][1]["to_state"] == "DEGRADED")
    del body[_RECORDS][at]
    tape.put_row(index, body)


def _deaf(tape: Tape) -> None:
    index, _ = write(tape, "POST")
    tape.heard[index].blind_ms = (tape.heard[index].now_ms - 10_000, None)


def _hot_loop(tape: Tape) -> None:
    index = tape.of("wake")[3]
    tape.heard[index:index] = [deepcopy(tape.heard[index]) for _ in range(WAKES_PER_S + 1)]


def _hasty_remedy(tape: Tape) -> None:
    index = tape.of("row")[60]
    body = tape.row(index)
    done = {
        "remedy": "cancel_orphan", "outcome": "applied", "kind": "order_orphan_own", "symbol": "BTCUSDT", "key": "x",
        "detail": "planted",
    }  # fmt: skip
    body[_RECORDS].append(["Remedied", done])
    tape.put_row(index, body)


def _foreign_cancelled(tape: Tape) -> None:
    taken = _event(tape, "NEW")
    theirs = deepcopy(tape.heard[taken])
    theirs.said[0]["o"].update(c="web_somebody", i=987_654)
    gone = deepcopy(theirs)
    gone.said[0]["o"].update(x="CANCELED", X="CANCELED")
    cancel = replace(deepcopy(theirs), kind="write")
    cancel.said = ("DELETE", "/fapi/v1/order", {"symbol": "BTCUSDT", "orderId": "987654"})
    tape.heard[taken:taken] = [theirs, cancel, gone]


def _another_wallet(tape: Tape) -> None:
    wallet = tape.truth["accounts"]["sim"]["wallet"]
    wallet["USDT"] = str(Decimal(wallet["USDT"]) + Decimal("0.01"))


def _trip_off_by_a_cent(tape: Tape) -> None:
    index, body, at = rows_with(tape, "TripClosed")[0]
    trip = body[_RECORDS][at][1]
    trip["net"] = str(Decimal(trip["net"]) + Decimal("0.01"))
    tape.put_row(index, body)


def _clock_back(tape: Tape) -> None:
    index = tape.of("row")[40]
    body = tape.row(index)
    header = body[_HEADER]
    header["boot_ns"] -= 10**9
    tape.put_row(index, body)


def _newer_writer(tape: Tape) -> None:
    """A second engine took the lease; the first goes on."""
    index = next(i for i in tape.of("row") if tape.heard[i].said[0].kind == "Boot")
    body = tape.row(index)
    body[_EVENT]["epoch"] += 100
    tape.put_row(index, body)


def _lost_row(tape: Tape) -> None:
    index = next(i for i in tape.of("row")[30:] if tape.heard[i].said[0].kind == "ViewChanged" and not _says(tape, i))
    del tape.heard[index]


def _says(tape: Tape, index: int) -> bool:
    body = tape.row(index)
    return bool(body[_RECORDS] or body[_EFFECTS])


def _asks_while_banned(tape: Tape) -> None:
    told = next(
        i for i in tape.of("row")
        if tape.heard[i].said[0].kind == "BudgetSeen" and tape.row(i)[_EVENT]["banned"]
    )  # fmt: skip
    now_ms = tape.heard[told].now_ms + 10
    asked = replace(deepcopy(tape.heard[told]), kind="request", now_ms=now_ms)
    asked.said = ("GET", "/fapi/v1/openOrders", now_ms, {"symbol": "BTCUSDT"})
    tape.heard.insert(told + 1, asked)


def _other_environment(tape: Tape) -> None:
    boots = [i for i in tape.of("row") if tape.heard[i].said[0].kind == "Boot"]
    body = tape.row(boots[1])
    body[_EVENT]["fingerprint"] = "another account"
    tape.put_row(boots[1], body)


def _key_in_a_row(tape: Tape) -> None:
    index = tape.of("row")[60]
    body = tape.row(index)
    body[_RECORDS].append(["Note", {"topic": "x", "severity": "info", "detail": CANARY.decode()}])
    tape.put_row(index, body)


def _negative_price(tape: Tape) -> None:
    index = next(i for i in tape.of("row") if tape.heard[i].said[0].kind == "ViewChanged")
    body = tape.row(index)
    view = body[_EVENT]["view"]
    view["bid_ticks"] = -1
    tape.put_row(index, body)


def _no_bundle(tape: Tape) -> None:
    moves = rows_with(tape, "Transition")
    index, body, _ = next(f for f in moves if f[1][_RECORDS][f[2]][1]["to_state"] == "EMERGENCY")
    body[_EFFECTS] = [each for each in body[_EFFECTS] if each[0] != "WriteBundle"]
    tape.put_row(index, body)


ON_THE_TAPE: dict[str, Plant] = {
    "I-01": _without_intents,
    "I-02": _accepted_twice,
    "I-03": partial(_declared_dead, kind="WriteReply"),
    "I-04": _reopened,
    "I-05": _fewer_levels,
    "I-06": _booked_twice,
    "I-07": _another_position,
    "I-08": _off_the_tick,
    "I-09": _a_thousandfold,
    "I-10": _in_pause,
    "I-11": _gate_for_a_reduction,
    "I-12": _bare_market_order,
    "I-13": _amended_to_nothing,
    "I-14": _killed_and_resting,
    "I-15": _silent_transition,
    "I-16": _deaf,
    "I-17": _hot_loop,
    "I-18": _hasty_remedy,
    "I-19": partial(_declared_dead, kind="QueryReply"),
    "I-20": _foreign_cancelled,
    "I-21": _another_wallet,
    "I-22": _trip_off_by_a_cent,
    "I-23": _clock_back,
    "I-25": _newer_writer,
    "I-26": _lost_row,
    "I-27": _asks_while_banned,
    "I-28": _other_environment,
    "I-29": _key_in_a_row,
    "I-30": _negative_price,
    "I-31": _no_bundle,
}
IN_A_RUN = ("I-24", "I-32")


def test_every_invariant_has_a_plant() -> None:
    named = [each.name for each in INVARIANTS]
    assert named == [f"I-{number:02}" for number in range(1, 33)]
    assert sorted((*ON_THE_TAPE, *IN_A_RUN)) == named


def test_the_tape_without_a_plant_breaks_nothing_and_holds_what_the_plants_need() -> None:
    tape = clean()
    assert judged(tape) == set()
    assert {"crash", "kill", "ban", "user_down"} <= set(tape.faults)


@pytest.mark.parametrize("name", ON_THE_TAPE)
def test_a_planted_defect_turns_its_own_invariant_red_and_no_other(name: str) -> None:
    tape = clean().copy()
    ON_THE_TAPE[name](tape)
    assert judged(tape) == {name}


def test_a_row_that_reads_back_changed_is_no_recovery() -> None:
    def changed(day: Day) -> None:
        tail = day.disk.tail

        def other() -> Any:
            found = tail()
            rows = [each._replace(body=each.body.replace(b'"noop"', b'"amend"')) for each in found.rows]
            return type(found)(checkpoint=found.checkpoint, rows=rows, torn=0)

        day.disk.tail = other  # type: ignore[method-assign]

    report = run.run_day(SEED, hours=0.1, faults=FaultRates(crash=60), prepare=changed)
    assert report.invariant == "I-24"


def test_a_run_that_depends_on_more_than_its_seed_is_told_apart() -> None:
    """Something outside the seed, here a count of the runs so far, decides how slow the disk is."""
    runs = []

    def moody(day: Day) -> None:
        runs.append(day)
        day.disk.slow_us = 1_000 * len(runs)

    work = partial(run.run_day, SEED, hours=0.02, faults=CALM)
    assert run.run_twice(work).invariant == ""
    assert run.run_twice(partial(work, prepare=moody)).invariant == "I-32"
