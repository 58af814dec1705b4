"""Planted defects in the further halves of invariants that say more than one thing: each turns its own red alone."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from gridops.domain.vocabulary import FsmState
from gridops.sim.judge_requests import CONNECTS
from gridops.sim.judge_trust import CLOCK_MS, HELD_BACK_MS, LEAVE_MS, READS_MS
from tests.sim.tape import Tape, judged
from tests.sim.test_judge_planted import _EFFECTS, _EVENT, _KIND, _RECORDS, Plant, clean, rows_with, write

pytestmark = pytest.mark.simulation


def _of_kind(tape: Tape, kind: str) -> Iterator[tuple[int, Any]]:
    """Rows of an event, with their bodies; what is changed in a body is put back by the caller."""
    for index in tape.of("row"):
        if tape.heard[index].said[0].kind == kind:
            yield index, tape.row(index)


def _quoting(tape: Tape, for_ms: int) -> tuple[int, int]:
    """Two marks that far apart, between which it was ACTIVE and nothing stood in its way."""
    return tape.lasting(for_ms, lambda heard: heard.state is FsmState.ACTIVE and not heard.hindered)


def _without_writes(tape: Tape, first: int, last: int) -> None:
    """What would leave meanwhile says the same in other words; a mark takes its place."""
    for index in range(first, last):
        if tape.heard[index].kind == "write":
            heard = tape.heard[index]
            tape.heard[index] = replace(heard, kind="request", said=("GET", "/", heard.now_ms, {}))


def _old_frames(tape: Tape, field: str, first: int, last: int) -> None:
    """Frames of ten seconds ago come in as if they were new."""
    for index, body in _of_kind(tape, "ViewChanged"):
        if first <= index < last:
            body[_EVENT]["view"][field] -= 10_000
            tape.put_row(index, body)


def _one_place_too_many(tape: Tape) -> None:
    """A row places as many orders again as a side has levels, each at a price of its own."""
    index, body, at = next(
        (i, tape.row(i), n)
        for i in tape.of("row")
        for n, each in enumerate(tape.row(i)[_EFFECTS])
        if each[0] == "Send" and each[1]["ops"][0]["kind"] == "place" and not each[1]["ops"][0]["reduce_only"]
    )
    ops = body[_EFFECTS][at][1]["ops"]
    twin = next(op for op in ops)
    for number in range(tape.rules.grid.levels):
        client_id = twin["client_id"][:-1] + "0123456789abcdef"[number]
        ops.append({**twin, "client_id": client_id, "price_ticks": twin["price_ticks"] - 1_000 - number})
    tape.put_row(index, body)
    tape.cut_after(index)


def _active_without_trades(tape: Tape) -> None:
    """The read of the trades failed, and it quotes all the same."""
    for index in tape.of("row"):
        body = tape.row(index)
        if body[_KIND] == "QueryReply" and body[_EVENT]["kind"] == "trades":
            body[_EVENT]["ok"] = False
            tape.put_row(index, body)
        if any(said[0] == "Transition" and said[1]["to_state"] == "ACTIVE" for said in body[_RECORDS]):
            tape.cut_after(index)
            return


def _active_on_reads_from_before_an_outage(tape: Tape) -> None:
    """The private stream was away for long enough to cost trust, and the trades were not read again."""
    user = [
        i for i in tape.of("row") if tape.row(i)[_KIND] == "StreamChanged" and tape.row(i)[_EVENT]["stream"] == "user"
    ]
    down, up = user[-2:]
    back_ns = tape.row(up)[0]["boot_ns"]
    views = [i for i in tape.of("row") if i < down and tape.row(i)[_KIND] == "ViewChanged"]
    sooner = next(i for i in reversed(views) if tape.row(i)[0]["boot_ns"] <= back_ns - 5_000_000_000)
    body = tape.row(sooner)
    body[_KIND], body[_EVENT] = "StreamChanged", tape.row(down)[_EVENT]
    tape.put_row(sooner, body)
    for index in [i for i in tape.of("row") if i > up]:
        body = tape.row(index)
        if body[_KIND] == "QueryReply" and body[_EVENT]["kind"] == "trades":
            body[_EVENT]["ok"] = False
            tape.put_row(index, body)
        if any(said[0] == "Transition" and said[1]["to_state"] == "ACTIVE" for said in body[_RECORDS]):
            tape.cut_after(index)
            return


def _active_without_the_lease(tape: Tape) -> None:
    boots = [i for i in tape.of("row") if tape.heard[i].said[0].kind == "Boot"]
    after = next(i for i in tape.of("row") if i > boots[0] and tape.heard[i].said[0].kind == "ViewChanged")
    body = tape.row(after)
    body[_KIND], body[_EVENT] = "LeaseSeen", {"held": False, "epoch": 1, "valid_until_ms": 0}
    tape.put_row(after, body)
    tape.cut_after(next(f[0] for f in rows_with(tape, "Transition") if f[1][_RECORDS][f[2]][1]["to_state"] == "ACTIVE"))


def _active_and_deaf(tape: Tape) -> None:
    """Nothing is sent, but the state stays."""
    index = next(i for i in tape.of("mark") if tape.heard[i].state is FsmState.ACTIVE and not tape.heard[i].hindered)
    tape.heard[index].blind_ms = (None, tape.heard[index].now_ms - 10_000)


def _trip_lost(tape: Tape) -> None:
    index, body, at = rows_with(tape, "TripClosed")[0]
    del body[_RECORDS][at]
    tape.put_row(index, body)


def _trip_twice(tape: Tape) -> None:
    index, body, at = rows_with(tape, "TripClosed")[0]
    body[_RECORDS].append(deepcopy(body[_RECORDS][at]))
    tape.put_row(index, body)


def _fee_of_two_trips_swapped_for_nothing(tape: Tape) -> None:
    """Right in itself, and wrong in the sum."""
    index, body, at = rows_with(tape, "TripClosed")[0]
    trip = body[_RECORDS][at][1]
    trip["fees"], trip["net"] = "0", str(Decimal(trip["gross"]) + Decimal(trip["funding"]))
    tape.put_row(index, body)


def _no_number(tape: Tape) -> None:
    index, body, at = rows_with(tape, "Filled")[0]
    body[_RECORDS][at][1]["fill"]["realised"] = "NaN"
    tape.put_row(index, body)


def _fill_of_nothing(tape: Tape) -> None:
    index, body, at = rows_with(tape, "Filled")[0]
    body[_RECORDS][at][1]["fill"]["price_ticks"] = 0
    tape.put_row(index, body)
    tape.cut_after(index)


def _boundless_price(tape: Tape) -> None:
    index = next(i for i in tape.of("row") if tape.heard[i].said[0].kind == "ViewChanged")
    body = tape.row(index)
    body[_EVENT]["view"]["ask_ticks"] = 10**17
    tape.put_row(index, body)


def _bundle_lost_in_silence(tape: Tape) -> None:
    index = next(i for i in tape.of("mark") if tape.heard[i].state is FsmState.ACTIVE)
    lost = replace(deepcopy(tape.heard[index]), kind="evidence")
    lost.said = ()
    tape.heard.insert(index, lost)


def _leaves_before_its_row(tape: Tape) -> None:
    """The row of a place is on the disk when the venue takes the order, and was not when it left."""
    index, leg = write(tape, "POST")
    named = str(leg["newClientOrderId"]).encode()
    row = next(i for i in tape.of("row") if named in tape.heard[i].said[0].body)
    assert row < index
    tape.heard.insert(row, tape.heard.pop(index))


def _called_late_at_once(tape: Tape) -> None:
    """The answer to a reduction becomes a refusal of the last hop, for an age that it does not have."""
    reductions = set()
    for index in tape.of("row"):
        body = tape.row(index)
        if tape.heard[index].said[0].kind == "WriteReply" and body[_EVENT]["op_id"] in reductions:
            body[_EVENT] |= {"outcome": "denied", "detail": "late decided 2001 ms ago, limit 2000", "order": None}
            tape.put_row(index, body)
            tape.cut_after(index)
            return
        reductions |= {said["op_id"] for name, said in body[_RECORDS] if name == "Sent" and said["intent"] == "reduce"}
    raise AssertionError("no reduction was answered on this tape")


def _position_off_by_one(tape: Tape) -> None:
    index, body, at = rows_with(tape, "Filled")[-1]
    body[_RECORDS][at][1]["position_lots"] += 1
    tape.put_row(index, body)


def _filled_without_fills(tape: Tape) -> None:
    """A row says more of an order is filled than fills of it were booked."""
    moves = rows_with(tape, "OrderMoved")
    index, body, at = next(f for f in moves if f[1][_RECORDS][f[2]][1]["to_state"] == "FILLED")
    body[_RECORDS][at][1]["filled_lots"] += 1
    tape.put_row(index, body)


def _beyond_the_band(tape: Tape) -> None:
    """A legal price, twenty percent below the mark."""
    _, leg = write(tape, "POST")
    side_away = Decimal("0.8") if leg["side"] == "SELL" else Decimal("1.2")
    leg["price"] = str((Decimal(leg["price"]) * side_away).quantize(Decimal("0.1")))


def _ended_by_a_cut_list(tape: Tape) -> None:
    """An order that is gone from a list which may have been cut is taken for ended."""
    listed = [
        (i, b) for i, b in _of_kind(tape, "QueryReply")
        if b[_EVENT]["kind"] == "open_orders" and b[_EVENT]["ok"] and not _moves(b)
    ]  # fmt: skip
    ended = rows_with(tape, "OrderMoved")
    moved = next(b[_RECORDS][at][1] for _, b, at in ended if b[_RECORDS][at][1]["to_state"] == "CANCELED")
    index, body = listed[-1]
    body[_EVENT]["complete"] = False
    body[_RECORDS].append(["OrderMoved", {**moved, "from_state": "CANCELED"}])
    tape.put_row(index, body)


def _moves(body: Any) -> bool:
    return any(said[0] == "OrderMoved" for said in body[_RECORDS])


def _income_twice(tape: Tape) -> None:
    index, body, at = next(f for f in rows_with(tape, "Booked") if f[1][_RECORDS][f[2]][1]["kind"] == "funding_fee")
    body[_RECORDS][at][1]["amount"] = "0"
    body[_RECORDS].append(deepcopy(body[_RECORDS][at]))
    tape.put_row(index, body)
    tape.cut_after(index)


def _leaves_on_an_old_book(tape: Tape) -> None:
    index, _ = write(tape, "POST", last=True)
    shown = next(at for at, _ in reversed(list(_of_kind(tape, "ViewChanged"))) if at < index)
    _old_frames(tape, "book_event_ms", shown, index)
    tape.cut_after(index)


def _stays_on(tape: Tape, field: str) -> None:
    """Nothing is sent, but the state stays."""
    first, last = _quoting(tape, LEAVE_MS + HELD_BACK_MS + 3_000)
    _old_frames(tape, field, first, last)
    _without_writes(tape, first, last)
    tape.cut_after(last)


def _stays_on_an_old_book(tape: Tape) -> None:
    _stays_on(tape, "book_event_ms")


def _stays_on_an_old_mark_price(tape: Tape) -> None:
    _stays_on(tape, "mark_event_ms")


def _active_on_a_market_of_before(tape: Tape) -> None:
    """The first views of a run are of frames that waited somewhere."""
    index = next(i for i, b, at in rows_with(tape, "Transition") if b[_RECORDS][at][1]["to_state"] == "ACTIVE")
    _old_frames(tape, "book_event_ms", 0, index + 1)
    tape.cut_after(index)


def _stays_on_old_filters(tape: Tape) -> None:
    """Filters that are too old after half a minute, and nobody reads them so often."""
    for index, body in _of_kind(tape, "Boot"):
        body[_EVENT]["rules"]["health"]["filters_stale_ms"] = 30_000
        tape.put_row(index, body)
    tape.cut_after(_quoting(tape, 90_000)[1])


def _clock_never_measured(tape: Tape) -> None:
    for index, body in _of_kind(tape, "QueryReply"):
        if body[_EVENT]["kind"] == "time":
            body[_EVENT]["ok"] = False
            tape.put_row(index, body)
    tape.cut_after(next(f[0] for f in rows_with(tape, "Transition") if f[1][_RECORDS][f[2]][1]["to_state"] == "ACTIVE"))


def _clock_found_wrong(tape: Tape) -> None:
    """A measurement shows that the run had gone by a clock five seconds off, and it goes on."""
    first, last = _quoting(tape, 60_000)
    index, body = next(
        (i, b) for i, b in _of_kind(tape, "QueryReply") if first < i < last and b[_EVENT]["kind"] == "time"
    )
    body[_EVENT]["clock_offset_ms"] += 5_000
    tape.put_row(index, body)
    tape.cut_after(last)


def _clock_wrong_unmeasured(tape: Tape) -> None:
    """Every request is stamped off the venue's clock for over a minute, and no measurement says so."""
    first, last = _quoting(tape, CLOCK_MS + LEAVE_MS + HELD_BACK_MS + 12_000)
    for index in [each for each in tape.of("request") if first <= each < last]:
        method, path, stamp_ms, params = tape.heard[index].said
        tape.heard[index].said = (method, path, stamp_ms + 3_000, params)
    tape.cut_after(last)


def _read_no_more(tape: Tape) -> None:
    """No answer about positions for longer than a reconcile may be old."""
    first, last = _quoting(tape, 90_000 + READS_MS + LEAVE_MS + HELD_BACK_MS + 5_000)
    for index, body in _of_kind(tape, "QueryReply"):
        if first <= index < last and body[_EVENT]["kind"] == "positions":
            body[_EVENT]["kind"] = "income"
            tape.put_row(index, body)
    tape.cut_after(last)


def _stays_without_the_lease(tape: Tape) -> None:
    first, last = _quoting(tape, LEAVE_MS + HELD_BACK_MS + 3_000)
    index, body = next((i, b) for i, b in _of_kind(tape, "ViewChanged") if i > first)
    body[_KIND], body[_EVENT] = "LeaseSeen", {"held": False, "epoch": 1, "valid_until_ms": 0}
    tape.put_row(index, body)
    _without_writes(tape, first, last)
    tape.cut_after(last)


def _booked_at_another_price(tape: Tape) -> None:
    index = next(i for i in tape.of("row") if tape.heard[i].said[0].fills)
    fill = tape.heard[index].said[0].fills[0]
    named = {name: getattr(fill, name) for name in type(fill).__slots__}
    other = type(fill)(**{**named, "price_ticks": fill.price_ticks + 1})
    tape.put_row(index, tape.row(index), fills=(other, *tape.heard[index].said[0].fills[1:]))
    tape.cut_after(index)


def _trips_swap_their_ends(tape: Tape) -> None:
    """Each right in itself, and every sum as it was: only who closed whom is wrong."""
    for one, other in pairwise(rows_with(tape, "TripClosed")):
        trips = [body[_RECORDS][at][1] for _, body, at in (one, other)]
        same = trips[0]["side"] == trips[1]["side"] and trips[0]["lots"] == trips[1]["lots"]
        if same and trips[0]["exit_ticks_x_lots"] != trips[1]["exit_ticks_x_lots"] and one[0] != other[0]:
            moved = trips[1]["exit_ticks_x_lots"] - trips[0]["exit_ticks_x_lots"]
            for (index, body, _), trip, more in zip((one, other), trips, (moved, -moved), strict=True):
                _earns(trip, more)
                tape.put_row(index, body)
            return
    raise AssertionError("no two trips alike")


def _earns(trip: dict[str, Any], units: int) -> None:
    """A trip ended so many units of price higher, and says so throughout."""
    more = Decimal(units) * Decimal("0.0001") * (1 if trip["side"] == "BUY" else -1)
    trip["exit_ticks_x_lots"] += units
    trip["gross"], trip["net"] = str(Decimal(trip["gross"]) + more), str(Decimal(trip["net"]) + more)


def _fills_in_another_order(tape: Tape) -> None:
    """The journal has two fills of other sides at each other's times: sorted, they are not the venue's."""
    for one, other in pairwise(rows_with(tape, "Filled")):
        fills = [body[_RECORDS][at][1]["fill"] for _, body, at in (one, other)]
        if fills[0]["side"] != fills[1]["side"] and one[0] != other[0]:
            fills[0]["at_ms"], fills[1]["at_ms"] = fills[1]["at_ms"], fills[0]["at_ms"]
            for index, body, _ in (one, other):
                tape.put_row(index, body)
            return


def _a_late_fill_earns_more(tape: Tape) -> None:
    """A trip among fills that came late earns more, another one as much less: only their stretches can tell."""
    told = rows_with(tape, "TripClosed")
    late = _after_a_late_fill(tape)
    one = next(each for each in told if each[0] >= late)
    other = told[0]
    for (index, body, at), units in ((one, 1_000), (other, -1_000)):
        trip = body[_RECORDS][at][1]
        _earns(trip, units if trip["side"] == "BUY" else -units)
        tape.put_row(index, body)


def _after_a_late_fill(tape: Tape) -> int:
    """The row that books a fill older than one booked before."""
    newest = 0
    for index, body, at in rows_with(tape, "Filled"):
        trade_id = body[_RECORDS][at][1]["fill"]["trade_id"]
        if trade_id < newest:
            return index
        newest = trade_id
    raise AssertionError("every fill came in order")


def _ledger_of_another_result(tape: Tape) -> None:
    """The wallet agrees with the venue, and what it calls realised does not."""
    tape.state = deepcopy(tape.state)
    tape.state.ledger.realised["USDT"] += Decimal("0.01")


def _leaves_without_the_lease(tape: Tape) -> None:
    """The lease is gone and the state does not know yet."""
    index, _ = write(tape, "POST")
    tape.heard[index].leads = False


def _beats_without_the_lease(tape: Tape) -> None:
    index = next(i for i in tape.of("write") if "countdown" in tape.heard[i].said[1])
    tape.heard[index].leads = False


def _asks_again_and_again(tape: Tape) -> None:
    """Income is read eighty times within a second, by which the minute's weight is spent."""
    index = next(i for i in tape.of("request") if tape.heard[i].said[1].endswith("/income"))
    tape.heard[index:index] = [deepcopy(tape.heard[index]) for _ in range(80)]


def _connects_again_and_again(tape: Tape) -> None:
    index = tape.of("connect")[1]
    tape.heard[index:index] = [deepcopy(tape.heard[index]) for _ in range(CONNECTS)]


MORE: tuple[tuple[str, Plant], ...] = (
    ("I-01", _leaves_before_its_row),
    ("I-05", _one_place_too_many),
    ("I-07", _position_off_by_one),
    ("I-07", _filled_without_fills),
    ("I-08", _beyond_the_band),
    ("I-11", _called_late_at_once),
    ("I-16", _active_without_trades),
    ("I-16", _active_on_reads_from_before_an_outage),
    ("I-16", _active_without_the_lease),
    ("I-06", _booked_at_another_price),
    ("I-16", _active_and_deaf),
    ("I-16", _leaves_on_an_old_book),
    ("I-16", _stays_on_an_old_book),
    ("I-16", _stays_on_an_old_mark_price),
    ("I-16", _active_on_a_market_of_before),
    ("I-16", _stays_on_old_filters),
    ("I-16", _clock_never_measured),
    ("I-16", _clock_found_wrong),
    ("I-16", _clock_wrong_unmeasured),
    ("I-16", _read_no_more),
    ("I-16", _stays_without_the_lease),
    ("I-19", _ended_by_a_cut_list),
    ("I-21", _income_twice),
    ("I-22", _trip_lost),
    ("I-22", _trip_twice),
    ("I-22", _trips_swap_their_ends),
    ("I-22", _fills_in_another_order),
    ("I-22", _a_late_fill_earns_more),
    ("I-22", _ledger_of_another_result),
    ("I-22", _fee_of_two_trips_swapped_for_nothing),
    ("I-25", _leaves_without_the_lease),
    ("I-25", _beats_without_the_lease),
    ("I-27", _asks_again_and_again),
    ("I-27", _connects_again_and_again),
    ("I-30", _no_number),
    ("I-30", _fill_of_nothing),
    ("I-30", _boundless_price),
    ("I-31", _bundle_lost_in_silence),
)
"""Other halves of invariants that say more than one thing."""


@pytest.mark.parametrize(("name", "plant"), MORE, ids=[f"{name}{plant.__name__}" for name, plant in MORE])
def test_each_half_of_an_invariant_has_a_defect_of_its_own(name: str, plant: Plant) -> None:
    tape = clean().copy()
    plant(tape)
    assert judged(tape) == {name}
