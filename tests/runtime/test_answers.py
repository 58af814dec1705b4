"""An operator hears "accepted" once it is on the disk, and what a disk that fails or hangs leaves in doubt."""

from typing import Any

import pytest
from gridops.domain.effects import Answer
from gridops.domain.events import OperatorInput
from gridops.domain.vocabulary import FsmState, OperatorCommand
from gridops.runtime.answers import HEARD_WITHIN_MS, Answers
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
    answers.look()
    answers.committed(Promise(seq=6))
    assert told == [] and answers.waiting == 1
    answers.committed(Promise(seq=7))
    assert told == [GIVEN] and answers.waiting == 0


def test_a_row_that_is_durable_already_is_not_waited_for(answers: Answers, told: list[Answer]) -> None:
    answers.submit(GIVEN, Promise(seq=7, settled=True))
    assert told == [GIVEN]


def test_a_failed_commit_is_told_with_the_answer(answers: Answers, told: list[Answer]) -> None:
    answers.submit(GIVEN, Promise(seq=7))
    answers.committed(Promise(seq=7, error=OSError("no space left")))
    assert [(each.accepted, each.detail) for each in told] == [
        (True, "not on the disk, a restart may not know of it: no space left")
    ]


def test_a_disk_that_hangs_holds_no_answer_up_for_long(answers: Answers, told: list[Answer], stub: Stub) -> None:
    answers.submit(GIVEN, Promise(seq=7))
    stub.now_ns += (HEARD_WITHIN_MS - 1) * MS
    answers.look()
    assert told == []
    stub.now_ns += MS
    answers.look()
    assert len(told) == 1 and "no word of a commit" in told[0].detail
    answers.committed(Promise(seq=7))
    assert len(told) == 1, "told once"


def test_the_loop_tells_what_was_accepted_when_its_row_is_durable(stub: Stub, told: list[Answer]) -> None:
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
    assert told == [] and loop.engine.state.fsm.state is FsmState.PAUSED
    loop._committed(Promise(seq=loop.engine.state.seq))
    assert [(each.request_id, each.accepted) for each in told] == [("op-1", True)]
