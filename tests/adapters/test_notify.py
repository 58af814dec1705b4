"""Messages to people: what is worth one, how often, without secrets, and never in anybody's way."""

import importlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters import notify
from gridops.adapters.notify import Notifier
from gridops.adapters.redaction import Secrets
from gridops.domain.records import MismatchSeen, Note, Transition
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState, MismatchKind, Severity
from gridops.errors import ConfigError

CANARY = "canary0123456789abcdef"
HEADER: Any = None


def moved(to_state: FsmState, reason: FsmReason, detail: str = "why") -> Transition:
    return Transition(
        from_state=FsmState.ACTIVE, to_state=to_state, event=FsmEvent.KILL, reason=reason, epoch=2, detail=detail,
        bundle="",
    )  # fmt: skip


class Desk:
    """A notifier whose sending and time are the test's."""

    def __init__(self, **changes: Any) -> None:
        self.sent: queue.Queue[tuple[str, str]] = queue.Queue()
        self.counts: Counter[str] = Counter()
        self.now_s = 0.0
        self.open = threading.Event()
        self.open.set()
        self.failing: Exception | None = None
        self.secrets = Secrets()
        given = {"account": "paper", "serious": False, "per_minute": 3, "repeat_s": 300.0, **changes}
        self.notifier = Notifier(
            self._send, secrets=self.secrets, count=self._count, clock_s=lambda: self.now_s, **given
        )

    def _count(self, outcome: str) -> None:
        self.counts[outcome] += 1

    def _send(self, title: str, text: str) -> bool:
        self.open.wait(20)
        if self.failing is not None:
            raise self.failing
        self.sent.put((title, text))
        return True

    def take(self, *records: Any) -> None:
        self.notifier.take(HEADER, records)

    def next(self) -> tuple[str, str]:
        return self.sent.get(timeout=5)

    def wait(self, outcome: str, number: int) -> None:
        until_s = time.monotonic() + 5
        while self.counts[outcome] < number and time.monotonic() < until_s:
            time.sleep(0.005)
        assert self.counts[outcome] == number, self.counts


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.open.set()
    made.notifier.close()


def test_a_message_says_what_happened_and_what_to_run(desk: Desk) -> None:
    desk.take(moved(FsmState.EMERGENCY, FsmReason.DRAWDOWN, "501 bps"))
    title, text = desk.next()
    assert title == "gridops paper: ACTIVE -> EMERGENCY"
    assert text.splitlines() == ["drawdown: 501 bps", "gridops runbook fsm#drawdown --execute"]


def test_serious_leaves_the_rest_out() -> None:
    desk = Desk(serious=True)
    desk.take(moved(FsmState.PAUSED, FsmReason.OPERATOR_PAUSE), Note(topic="t", severity=Severity.WARN, detail=""))
    desk.take(Note(topic="position_blind", severity=Severity.CRITICAL, detail="3 lots"))
    assert desk.next()[0].endswith("position_blind")
    desk.notifier.close()
    assert desk.sent.empty()


def test_a_confirmed_mismatch_is_told_with_both_figures(desk: Desk) -> None:
    seen = MismatchSeen(
        kind=MismatchKind.POSITION_QTY, severity=Severity.CRITICAL, symbol="BTCUSDT", key="", local="3", venue="5",
        confirmed=True, closed=False, bundle="",
    )  # fmt: skip
    desk.take(seen)
    assert "ours 3, the venue's 5" in desk.next()[1]


def test_the_same_is_not_said_again_until_its_time(desk: Desk) -> None:
    for at_s, limited in ((0, 0), (299, 1), (300, 1)):
        desk.now_s = float(at_s)
        desk.take(moved(FsmState.EMERGENCY, FsmReason.DRAWDOWN))
        assert desk.counts["limited"] == limited
    desk.wait("sent", 2)


def test_a_minute_has_a_limit_that_an_emergency_passes(desk: Desk) -> None:
    for reason in (FsmReason.FEED_STALE, FsmReason.CLOCK_SKEW, FsmReason.VENUE_DOWN, FsmReason.RATE_BANNED):
        desk.take(moved(FsmState.DEGRADED, reason))
    assert desk.counts["limited"] == 1
    desk.take(moved(FsmState.EMERGENCY, FsmReason.KILL_SWITCH))
    desk.wait("sent", 4)
    desk.now_s = 61.0
    desk.take(moved(FsmState.DEGRADED, FsmReason.RATE_BANNED))
    desk.wait("sent", 5)


def test_a_target_that_hangs_blocks_nobody_and_the_rest_is_dropped_and_counted() -> None:
    desk = Desk(per_minute=10_000)
    desk.open.clear()
    began_s = time.monotonic()
    for number in range(notify.QUEUE + 20):
        desk.take(Note(topic=f"topic{number}", severity=Severity.CRITICAL, detail=""))
    assert time.monotonic() - began_s < 1.0
    # One is with the hanging target, or still in the queue.
    assert desk.counts["dropped"] in (19, 20)
    began_s = time.monotonic()
    desk.notifier.close()
    assert time.monotonic() - began_s < notify.CLOSE_WITHIN_S + 1
    desk.open.set()


def test_a_failure_is_counted_and_the_next_message_goes(desk: Desk) -> None:
    desk.failing = RuntimeError(f"cannot reach tgram://{CANARY}/1")
    desk.take(moved(FsmState.EMERGENCY, FsmReason.KILL_SWITCH))
    desk.wait("failed", 1)
    desk.failing = None
    desk.take(moved(FsmState.EMERGENCY, FsmReason.DRAWDOWN))
    desk.wait("sent", 1)


def test_no_secret_and_no_control_character_leaves(desk: Desk) -> None:
    desk.secrets.register(CANARY)
    desk.take(Note(topic="t", severity=Severity.CRITICAL, detail=f"key {CANARY} \x1b[2J signature={'a' * 64}"))
    title, text = desk.next()
    assert CANARY not in title + text and "a" * 20 not in text and "\x1b" not in text


@pytest.mark.parametrize(
    ("target", "hidden", "shown"),
    [
        (f"tgram://123456789:{CANARY}/-1001234567", [CANARY, "123456789"], []),
        (f"slack://{CANARY}/BBBBBBBBB/cccccccccccc/ops", [CANARY, "BBBBBBBBB", "cccccccccccc"], []),
        (f"mailto://operator:{CANARY}@mail.example.com", [CANARY, "operator"], ["mail.example.com"]),
        (f"json://hooks.example.com/in/{CANARY}?token=tttttttttt", [CANARY, "tttttttttt"], ["hooks.example.com"]),
    ],
)
def test_what_may_be_a_token_of_a_target_is_blanked(target: str, hidden: list[str], shown: list[str]) -> None:
    secrets, environment = Secrets(), {notify.URLS: f" {target} "}
    assert notify.urls(environment, secrets) == (target,)
    assert environment == {}, "no child process inherits it"
    for word in hidden:
        assert word not in secrets.redact(f"error for {target}: {word} refused")
    for word in shown:
        assert word in secrets.redact(f"cannot reach {word}")


def test_targets_come_from_the_credentials_folder_too(tmp_path: Path) -> None:
    (tmp_path / notify.CREDENTIAL).write_text(f"json://a.example/{CANARY}\njson://b.example/{CANARY}\n")
    found = notify.urls({"CREDENTIALS_DIRECTORY": str(tmp_path)}, Secrets())
    assert len(found) == 2


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_no_target_and_an_unknown_kind_are_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="no target"):
        notify.urls({}, Secrets())
    with pytest.raises(ConfigError) as refused:
        notify.sender([f"nosuchkind://{CANARY}"])
    assert CANARY not in str(refused.value) + str(refused.value.hint)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigError) as refused:
        notify.sender(["json://a.example"])
    assert "gridops-cli[notify]" in str(refused.value.hint)
