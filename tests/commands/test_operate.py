"""An operator's word reaches the engine with author and reason; a dead engine is told from a hung one."""

from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.control_client import user_name
from gridops.adapters.evidence_files import Bundle, EvidenceWriter
from gridops.adapters.home import Home
from gridops.adapters.kill_latch import KillLatch
from gridops.domain.evidence_ref import EvidenceMode, EvidenceStatus
from gridops.errors import ExitCode
from gridops.usecases import kill_direct, operate
from tests.commands.kit import START_MS, Runner
from tests.commands.test_fsm import serving


class Engine:
    def __init__(self, **reply: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self.reply = {"accepted": True, "state": "PAUSED", "detail": "done", "bundle": "", **reply}

    async def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        return self.reply


@pytest.mark.parametrize(
    ("words", "command"),
    [(["fsm", "pause"], "pause"), (["fsm", "resume"], "resume"), (["fsm", "ack"], "ack"), (["kill"], "kill"),
     (["fsm", "emergency"], "kill"), (["kill", "--direct"], "kill")],
)  # fmt: skip
def test_the_word_arrives(cli: Runner, home: Home, words: list[str], command: str) -> None:
    home.ensure()
    engine = Engine()
    with serving(home, engine.handle):
        ran = cli(*words, "--reason", "odd fills")
    assert ran.code == 0, ran
    (asked,) = engine.asked
    assert (asked["command"], asked["reason"], asked["author"]) == (command, "odd fills", user_name())
    assert "PAUSED" in ran.out
    assert ran.refs("out")[0].mode is (EvidenceMode.KILL if command == "kill" else EvidenceMode.FSM)


def test_author_and_acceptance_travel_along(cli: Runner, home: Home) -> None:
    home.ensure()
    engine = Engine()
    with serving(home, engine.handle):
        cli("fsm", "ack", "--reason", "flat", "--author", "anna", "--accept-position")
    assert engine.asked[0]["author"] == "anna" and engine.asked[0]["accept_position"] is True


@pytest.mark.parametrize(
    ("words", "carried"),
    [
        (["toxicity", "high"], {"name": "toxicity", "scaled": 2_000, "ttl_ms": 60_000}),
        (["toxicity", "1.25", "--ttl", "5m"], {"name": "toxicity", "scaled": 1_250, "ttl_ms": 300_000}),
        (["loss_streak", "on"], {"name": "loss_streak", "scaled": 1, "ttl_ms": 60_000}),
        (["maintenance", "OFF", "--ttl", "2s"], {"name": "maintenance", "scaled": 0, "ttl_ms": 2_000}),
    ],
)
def test_a_signal_travels_with_its_value_and_lifetime(
    cli: Runner, home: Home, words: list[str], carried: dict[str, Any]
) -> None:
    home.ensure()
    engine = Engine()
    with serving(home, engine.handle):
        ran = cli("fsm", "signal", *words, "--reason", "drill")
    assert ran.code == 0, ran
    assert (engine.asked[0]["command"], engine.asked[0]["signal"]) == ("signal", carried)
    assert ran.refs("out")[0].mode is EvidenceMode.FSM


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mood", "high"], "one of toxicity, loss_streak, maintenance"),
        (["toxicity", "4"], "low, mid, high or a number from 0 to 3"),
        (["toxicity", "nan"], "low, mid, high"),
        (["toxicity", "1e999999999"], "low, mid, high"),
        (["maintenance", "1"], "on, off"),
        (["toxicity", "high", "--ttl", "soon"], "90s"),
    ],
)
def test_a_signal_that_is_none_is_refused_before_anybody_is_asked(
    cli: Runner, home: Home, words: list[str], told: str
) -> None:
    home.ensure()
    ran = cli("fsm", "signal", *words, "--reason", "drill")
    assert ran.code == ExitCode.USAGE and told in ran.err


def test_a_refusal_of_the_engine_is_exit_4_and_evidence(cli: Runner, home: Home) -> None:
    home.ensure()
    engine = Engine(accepted=False, detail="not flat")
    with serving(home, engine.handle):
        ran = cli("fsm", "ack", "--reason", "x", "--json")
    assert ran.code == ExitCode.REFUSED
    assert ran.document()["accepted"] is False and ran.document()["detail"] == "not flat"
    assert ran.refs("err")[0].status is EvidenceStatus.FAILED


def test_the_engines_own_bundle_is_pointed_to(cli: Runner, home: Home) -> None:
    home.ensure()
    writer = EvidenceWriter(Path("evidence"), run8="run00001")
    ref = writer.write(
        Bundle(mode=EvidenceMode.FSM, status=EvidenceStatus.OK, reason="operator_pause", at_ms=START_MS, seq=3,
               summary_text="x", summary={}, files={}, context={})
    )  # fmt: skip
    engine = Engine(bundle=writer.name(EvidenceMode.FSM, START_MS, 3))
    with serving(home, engine.handle):
        ran = cli("fsm", "pause", "--reason", "x")
    assert ran.refs("out") == [ref]


def test_a_bundle_that_never_comes_is_replaced_by_our_own(
    cli: Runner, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "BUNDLE_WITHIN_S", 0.1)
    home.ensure()
    engine = Engine(bundle="fsm/20240718T000000.000Z-run00001-3")
    with serving(home, engine.handle):
        (ref,) = cli("fsm", "pause", "--reason", "x").refs("out")
    assert "20240718T000000.000Z-run00001-3" in (Path(str(ref.evidence_dir)) / "summary.txt").read_text()


def test_a_dead_engine_is_refused_naming_the_home(cli: Runner, home: Home) -> None:
    home.ensure()
    ran = cli("fsm", "pause", "--reason", "x")
    assert ran.code == ExitCode.REFUSED
    assert "no engine answers" in ran.err and str(home.root) in ran.err and "kill --direct" in ran.err
    assert not home.kill_latch("paper").exists()


def test_a_kill_that_nobody_answers_leaves_the_latch(cli: Runner, home: Home) -> None:
    home.ensure()
    ran = cli("kill", "--reason", "odd fills", "--author", "anna")
    assert ran.code == ExitCode.REFUSED and "the kill latch is set" in ran.err
    note = KillLatch(home.kill_latch("paper"), clock_ms=lambda: 0).read()
    assert note is not None and (note.author, note.reason) == ("anna", "odd fills")


def test_a_hung_engine_is_told_from_a_dead_one(cli: Runner, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    async def hang(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    monkeypatch.setattr(operate, "ANSWER_WITHIN_S", 0.2)
    home.ensure()
    with serving(home, hang):
        ran = cli("kill", "--reason", "x")
    assert ran.code == ExitCode.REFUSED
    assert "does not answer" in ran.err and "kill --direct" in ran.err
    assert home.kill_latch("paper").exists()


@pytest.mark.parametrize("words", [["fsm", "pause"], ["kill"]])
def test_a_reason_is_needed(cli: Runner, words: list[str]) -> None:
    assert cli(*words).code == ExitCode.USAGE
    assert cli(*words, "--reason", "  ").code == ExitCode.USAGE


def test_force_needs_the_accounts_name_typed(cli: Runner, home: Home) -> None:
    home.ensure()
    ran = cli("kill", "--direct", "--force", "other", "--reason", "x")
    assert ran.code == ExitCode.USAGE and "--force paper" in ran.err
    assert not home.kill_latch("paper").exists()
    assert cli("kill", "--force", "paper", "--reason", "x").code == ExitCode.USAGE


def test_a_direct_kill_without_a_home_kills_nothing(cli: Runner, home: Home) -> None:
    ran = cli("kill", "--direct", "--reason", "x")
    assert ran.code == ExitCode.REFUSED and "nothing was killed" in ran.err
    assert not home.root.exists()


def test_a_direct_kill_without_a_venue_says_how_far_it_came(cli: Runner, home: Home) -> None:
    home.ensure()
    ran = cli("kill", "--direct", "--reason", "x")
    assert ran.code == ExitCode.VENUE
    assert "the kill latch is set" in ran.err and "no paper venue" in ran.err
    (ref,) = ran.refs("out")
    assert (ref.mode, ref.status, ref.reason) == (EvidenceMode.KILL, EvidenceStatus.FAILED, "venue_not_reached")
    assert home.kill_latch("paper").exists()


def test_the_direct_kill_asks_no_longer_than_it_should() -> None:
    assert kill_direct.ASK_WITHIN_S <= 3.0
