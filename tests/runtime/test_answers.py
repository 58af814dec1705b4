"""An operator hears "accepted" once it is on the disk, and what a disk that fails or hangs leaves in doubt."""

from dataclasses import replace
from typing import Any

import pytest
from gridops.domain.effects import Answer
from gridops.domain.events import OperatorInput
from gridops.domain.vocabulary import FsmState, OperatorCommand
from gridops.runtime.answers import Answers
from gridops.runtime.outbox import SILENT_MS
from tests.runtime.engine_kit import BOOT_0_MS, Desk
from tests.runtime.test_outbox import Promise, Stub
from tests.runtime.test_turns import MS, Idle

GIVEN = Answer(request_id="op-1", accepted=True, state="PAUSED", detail="", bundle="")


class Held:
    """A journal whose rows wait for their commit."""

    def append(self, row: Any) -> Promise:
        return Promise(seq=row.seq)


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def told() -> list[Answer]:
    return []


@pytest.fixture
def answers(stub: Stub, told: list[Answer]) -> Answers:
    made = Answers(stub)
    made.tell = told.append
    return made


def test_an_answer_waits_for_its_row(answers: Answers, told: list[Answer]) -> None:
    answers.submit(GIVEN, Promise(seq=7))
    answers.disk_silent()
    answers.committed(Promise(seq=6))
    assert told == [] and answers.waiting == 1
    answers.committed(Promise(seq=7))
    assert told == [GIVEN] and answers.waiting == 0


def test_one_row_may_answer_several_requests(answers: Answers, told: list[Answer]) -> None:
    """A read that two operators wait for ends both of their looks."""
    other = replace(GIVEN, request_id="op-2")
    answers.submit(GIVEN, Promise(seq=7))
    answers.submit(other, Promise(seq=7))
    answers.committed(Promise(seq=7))
    assert told == [GIVEN, other]


def test_a_hung_disk_is_noticed_by_the_loop(stub: Stub, told: list[Answer]) -> None:
    loop = standing_loop(stub, told)
    asked_ns = stub.now_ns
    loop.look(asked_ns + (SILENT_MS - 300) * MS, stub)
    assert told == []
    loop.look(asked_ns + (SILENT_MS + 400) * MS, stub)
    assert len(told) == 1 and "no word of a commit" in told[0].detail


def test_a_row_that_is_durable_already_is_not_waited_for(answers: Answers, told: list[Answer]) -> None:
    answers.submit(GIVEN, Promise(seq=7, settled=True))
    assert told == [GIVEN]


@pytest.mark.parametrize(("error", "why"), [(OSError("no space left"), "no space left"), (OSError(), "OSError")])
def test_a_failed_commit_is_told_with_the_answer(
    answers: Answers, told: list[Answer], error: OSError, why: str
) -> None:
    answers.submit(GIVEN, Promise(seq=7))
    answers.committed(Promise(seq=7, error=error))
    said = f"not on the disk, a restart may not know of it: {why}"
    assert [(each.accepted, each.detail) for each in told] == [(True, said)]


def test_a_disk_that_hangs_holds_no_answer_up_for_long(answers: Answers, told: list[Answer], stub: Stub) -> None:
    answers.submit(GIVEN, Promise(seq=7))
    stub.now_ns += (SILENT_MS - 1) * MS
    answers.disk_silent()
    assert told == []
    stub.now_ns += MS
    answers.disk_silent()
    assert len(told) == 1 and "no word of a commit" in told[0].detail
    answers.committed(Promise(seq=7))
    assert len(told) == 1, "told once"


def test_the_loop_tells_what_was_accepted_when_its_row_is_durable(stub: Stub, told: list[Answer]) -> None:
    loop = standing_loop(stub, told)
    assert told == [] and loop.engine.state.fsm.state is FsmState.PAUSED
    loop._committed(Promise(seq=loop.engine.state.seq))
    assert [(each.request_id, each.accepted) for each in told] == [("op-1", True)]


def standing_loop(stub: Stub, told: list[Answer]) -> Idle:
    """An engine that has just been paused, and whose row waits for its commit."""
    desk = Desk()
    desk.up()
    stub.now_ns = (BOOT_0_MS + desk.at_ms) * MS
    ports: Any = type("Ports", (), {"clock_offset_ms": 0, "__getattr__": lambda *_: lambda *_: None})()
    journal: Any = Held()
    loop = Idle(
        desk.engine, clock=stub, venue=ports, journal=journal, lease=stub, latch=stub, reserve=stub, bundles=ports,
        alarm=lambda _: None, timings=ports,
    )  # fmt: skip
    loop.answer_to(told.append)
    wish = OperatorInput(
        command=OperatorCommand.PAUSE, request_id="op-1", author="anna", reason="r", accept_position=False
    )
    loop._turn(stub.now_ns, stub.wall_ms(), wish)
    return loop
