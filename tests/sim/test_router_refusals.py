"""Each refusal the venue has for a write, given for two minutes to the real engine on the emulator: what follows.

Judged by what the venue holds: an order whose amend was refused still rests, a cancel that found nothing proves
nothing, equal refusals become one probe a minute, and once the refusals end the ladder is the one wanted.
"""

from collections import Counter
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from gridops.domain.records import Sent, Wrote
from gridops.domain.vocabulary import OperatorCommand, OpKind, VenueCode, WriteOutcome
from gridops.runtime import codec
from gridops.runtime.ports_journal import JournalRow
from gridops.sim.day import OPENED_NS, Day
from gridops.sim.faults import CALM
from gridops.sim.rest_link import Refusal
from gridops.sim.scheduler import SECOND
from tests.effort import FULL
from tests.sim.test_router import RESTLESS, Watched, judge_final, resting

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(600)]

FROM_S, LASTS_S = OPENED_NS // SECOND + 15, 120
KINDS = {"POST": OpKind.PLACE, "PUT": OpKind.AMEND, "DELETE": OpKind.CANCEL}
AMENDS = [
    (400, -5021, VenueCode.OTHER),
    (400, -5022, VenueCode.POST_ONLY),
    (400, -5024, VenueCode.SYMBOL_STATUS),
    (400, -5025, VenueCode.AMEND_REFUSED),
    (400, -5027, VenueCode.AMEND_UNCHANGED),
    (400, -5028, VenueCode.CLOCK),
    (400, -5029, VenueCode.FILTER),
    (400, -5037, VenueCode.BAD_REQUEST),
    (400, -5038, VenueCode.BAD_REQUEST),
    (400, -5039, VenueCode.BAD_REQUEST),
    (400, -5040, VenueCode.BAD_REQUEST),
    (400, -5041, VenueCode.OTHER),
    (400, -5043, VenueCode.AMEND_PENDING),
    (400, -2013, VenueCode.NO_SUCH_ORDER),
    (503, -1008, VenueCode.OVERLOADED),
]
PLACES = [
    (400, -2022, VenueCode.REDUCE_ONLY),
    (400, -4118, VenueCode.REDUCE_ONLY),
    (400, -4116, VenueCode.DUPLICATE_CLIENT_ID),
    (400, -5022, VenueCode.POST_ONLY),
    (503, -1008, VenueCode.OVERLOADED),
]


class Refused(Watched):
    """Also keeps what was sent and answered while the venue refused, and the ids that rested when it began."""

    def __init__(self, day_s: int) -> None:
        super().__init__()
        self.sent: list[tuple[int, Sent]] = []
        self.wrote: list[Wrote] = []
        self.from_ms, self.rested = day_s * 1_000, set[str]()

    def on_row(self, row: JournalRow) -> None:
        super().on_row(row)
        for said in codec.records_of(codec.decode_row(row.body)):
            if isinstance(said, Sent):
                self.sent.append((row.wall_ms, said))
            elif isinstance(said, Wrote):
                self.wrote.append(said)


def refused_day(
    method: str, status: int, code: int, *, from_s: int = FROM_S, pause: bool = False
) -> tuple[Day, Refused]:
    """A calm day in which this method is refused for two minutes. `pause`: an operator pauses meanwhile."""
    watched = Refused(from_s)
    day = Day(40_000, hours=0.08, faults=CALM, market="light:40000", rules=RESTLESS, planner=watched)
    day.disk.on_row.append(watched.on_row)
    start_ms = day.source.start_ms()

    def begin() -> None:
        watched.rested = {each["clientOrderId"] for each in resting(day)}
        until_ms = start_ms + (from_s + LASTS_S) * 1_000
        day.rest.refusals.append(
            Refusal(path="rder", method=method, status=status, code=code, message="drill", until_ms=until_ms)
        )

    day.scheduler.at(from_s * SECOND, begin)
    if pause:
        day.scheduler.at((from_s + 5) * SECOND, lambda: day.operator(OperatorCommand.PAUSE))
    try:
        day.run()
    finally:
        day.close()
    return day, watched


def answers(watched: Refused, method: str, number: int) -> list[Wrote]:
    return [each for each in watched.wrote if each.kind is KINDS[method] and each.number == number]


def most_tries(day: Day, watched: Refused) -> int:
    """Three tries and two probes for each level; a fill gives a level another order, and so three tries more."""
    levels = len({sent.level for _, sent in watched.sent})
    return levels * (3 + LASTS_S // 60) + 3 * len(day.judge.trades)


def fates(day: Day) -> dict[str, dict[str, Any]]:
    """Every order the venue ever knew, by client id."""
    return {each["clientOrderId"]: each for each in day.core.truth()["orders"]}


@pytest.mark.parametrize(("status", "number", "code"), AMENDS if FULL else AMENDS[::6])
def test_a_refused_amend_leaves_its_order_and_is_probed_once_a_minute(
    status: int, number: int, code: VenueCode
) -> None:
    day, watched = refused_day("PUT", status, number)
    said = answers(watched, "PUT", number)
    assert said and {each.outcome for each in said} == {WriteOutcome.REFUSED}
    assert {each.code for each in said} == {code}
    assert len(said) <= most_tries(day, watched), len(said)
    gone = [fates(day)[name] for name in watched.rested if fates(day)[name]["status"] == "REJECTED"]
    assert gone == []
    judge_final(day, watched)


@pytest.mark.parametrize(("status", "number", "code"), PLACES if FULL else PLACES[::2])
def test_a_refused_place_is_probed_once_a_minute_and_the_ladder_comes_at_last(
    status: int, number: int, code: VenueCode
) -> None:
    day, watched = refused_day("POST", status, number, from_s=0)
    said = answers(watched, "POST", number)
    assert said and {each.outcome for each in said} == {WriteOutcome.REFUSED}
    assert {each.code for each in said} == {code}
    assert len(said) <= most_tries(day, watched), len(said)
    judge_final(day, watched)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_write_of_unknown_outcome_freezes_its_level_until_the_venue_has_said(method: str) -> None:
    day, watched = refused_day(method, 503, -1007, from_s=0 if method == "POST" else FROM_S)
    said = answers(watched, method, -1007)
    assert said and {each.outcome for each in said} == {WriteOutcome.UNKNOWN}
    by_level: dict[int, list[int]] = {}
    for at_ms, sent in watched.sent:
        if sent.kind is OpKind.PLACE and at_ms < day.source.start_ms() + LASTS_S * 1_000:
            by_level.setdefault(sent.level, []).append(at_ms)
    settled_ms = RESTLESS.sync.recv_window_ms + RESTLESS.sync.settle_ms
    if method == "POST":
        for times in by_level.values():
            assert all(later - sooner >= settled_ms for sooner, later in pairwise(times)), times
    judge_final(day, watched)


@pytest.mark.parametrize(("status", "number"), [(400, -2011), (400, -2013), (503, -1008), (503, -1007)])
def test_a_cancel_that_fails_proves_nothing(status: int, number: int) -> None:
    """Paused, and every cancel refused: the orders rest on and stay in the engine's books until they are cancelled."""
    day, watched = refused_day("DELETE", status, number, pause=True)
    assert answers(watched, "DELETE", number)
    known = fates(day)
    assert watched.rested and all(known[name]["status"] != "REJECTED" for name in watched.rested)
    gone = [name for name in watched.rested if known[name]["status"] == "CANCELED"]
    assert all(known[name]["updateTime"] >= day.source.start_ms() + (FROM_S + LASTS_S) * 1_000 for name in gone)
    assert gone, "the pause cancelled nothing at all"
    judge_final(day, watched)


def test_an_order_the_venue_will_not_amend_any_more_is_replaced() -> None:
    day, watched = refused_day("PUT", 400, -5026)
    said = answers(watched, "PUT", -5026)
    assert said and {each.code for each in said} == {VenueCode.AMEND_LIMIT}
    replaced = {each.client_id for each in said}
    assert {fates(day)[name]["status"] for name in replaced} <= {"CANCELED", "FILLED"}
    assert max(Counter(each.client_id for each in said).values()) == 1
    judge_final(day, watched)


def test_a_latch_that_another_hand_left_has_no_place_tried_again_and_again() -> None:
    """Only the last hop knows of it: orders that never leave may not use up the budget of those that will."""
    seen = Refused(0)
    day = Day(40_000, hours=0.04, faults=CALM, market="light:40000", rules=RESTLESS, planner=seen)
    day.disk.on_row.append(seen.on_row)
    for at_s, latched in ((FROM_S, True), (FROM_S + 30, False)):
        day.scheduler.at(at_s * SECOND, partial(setattr, day.latch, "latched", latched))
    day.run()
    day.close()
    held = [each for each in seen.wrote if each.outcome is WriteOutcome.DENIED]
    levels = {each.level for _, each in seen.sent}
    assert held and {each.kind for each in held} <= {OpKind.PLACE, OpKind.AMEND}
    assert len(held) <= 12 * len(levels), f"{len(held)} of {len(levels)} levels in 30 s"
    judge_final(day, seen)
