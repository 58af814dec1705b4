"""`fsm show` tells the journal's lifecycle as the engine held it, says how old it is, and draws the one table."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters.control_socket import ControlServer
from gridops.adapters.home import Home
from gridops.decide.clearing import CLEARED_BY, STATE_ENDS
from gridops.decide.fsm_table import ROWS
from gridops.domain.events import Event, Woke
from gridops.domain.vocabulary import FsmEvent, FsmReason, FsmState, OperatorCommand
from gridops.errors import ExitCode
from gridops.runtime.engine import Engine
from gridops.usecases import journal_fsm
from gridops.usecases.snapshot import snapshot
from syrupy.assertion import SnapshotAssertion
from tests.commands.kit import START_MS, Runner, boot, said, write_journal

HISTORY: list[Event] = [
    boot(),
    said(OperatorCommand.PAUSE, "news"),
    Woke(),
    said(OperatorCommand.KILL, "odd fills"),
    said(OperatorCommand.RESUME, "news are over"),
    Woke(),
    boot(run_id="run000000002"),
    Woke(),
]


@contextmanager
def serving(home: Home, replies: Any) -> Iterator[None]:
    """A control socket in a loop of its own thread."""
    loop = asyncio.new_event_loop()
    server = ControlServer(home.control_socket("paper"), replies)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(5)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def _told(path: Path) -> dict[str, Any]:
    found = journal_fsm.read(path)
    assert found is not None
    return {
        "memory": (found.memory.state, found.memory.since_ms, found.memory.last_event, found.memory.last_reason,
                   found.memory.last_from, found.memory.last_detail, found.memory.epoch),
        "levels": {key: (level.reason, level.scope, level.since_ms, level.detail) for key, level in found.held.items()},
        "seq": found.seq, "run": found.run_id,
    }  # fmt: skip


def _held(engine: Engine) -> dict[str, Any]:
    memory, state = engine.state.fsm, engine.state
    return {
        "memory": (memory.state, memory.since_ms, memory.last_event, memory.last_reason, memory.last_from,
                   memory.last_detail, memory.epoch),
        "levels": {key: (each.reason, each.scope, each.since_ms, each.detail) for key, each in state.levels.items()},
        "seq": state.seq, "run": state.identity.run_id,
    }  # fmt: skip


@pytest.mark.parametrize("length", range(1, len(HISTORY) + 1))
@pytest.mark.parametrize("checkpoint_after", [0, 1, 2, 4, 7])
def test_the_journals_lifecycle_is_the_engines(home: Home, length: int, checkpoint_after: int) -> None:
    engine = write_journal(home, HISTORY[:length], checkpoint_after=checkpoint_after)
    assert _told(home.journal("paper")) == _held(engine)


def test_the_history_used_here_moves_and_holds_something(home: Home) -> None:
    engine = write_journal(home, HISTORY)
    assert engine.state.fsm.state is FsmState.EMERGENCY
    assert len(engine.state.levels) >= 2


def test_a_dead_engine_is_shown_stale_with_its_age(cli: Runner, home: Home) -> None:
    write_journal(home, HISTORY)
    ran = cli("fsm", "show", "--json")
    shown = ran.document()
    assert (shown["process"], shown["stale"], shown["state"]) == ("dead", True, "EMERGENCY")
    assert shown["as_of_ms"] == START_MS + len(HISTORY) * 1_000
    assert shown["age_ms"] > 365 * 86_400_000
    assert shown["home"] in shown["process_detail"]
    text = cli("fsm", "show").out
    assert "STALE by" in text and str(home.root) in text
    newest = shown["transitions"][0]
    assert (newest["to"], newest["event"], newest["reason"]) == ("EMERGENCY", "KILL", "kill_switch")
    assert (newest["seq"], newest["at_ms"]) == (4, START_MS + 4_000)
    assert f"{newest['from']} -> EMERGENCY by KILL: kill_switch" in text


def test_a_live_engines_own_word_is_shown(cli: Runner, home: Home) -> None:
    engine = write_journal(home, HISTORY[:4])
    live = snapshot(engine.state)
    live["wall_ms"] += 60_000

    async def status(_: dict[str, Any]) -> dict[str, Any]:
        return {"accepted": True, "state": live["state"], "detail": "", "snapshot": live}

    with serving(home, status):
        shown = cli("fsm", "show", "--json").document()
        text = cli("fsm", "show").out
    assert (shown["process"], shown["stale"], shown["age_ms"]) == ("live", False, 0)
    assert (shown["state"], shown["last_reason"]) == ("EMERGENCY", "kill_switch")
    assert [level["reason"] for level in shown["levels"]] == [each["reason"] for each in live["levels"]]
    assert "live" in text and "now" in text


def test_each_open_level_says_what_clears_it_and_the_state_how_it_ends(cli: Runner, home: Home) -> None:
    """As a refusal says it; alone, a state names its own way out."""
    write_journal(home, HISTORY)
    shown, text = cli("fsm", "show", "--json").document(), cli("fsm", "show").out.splitlines()
    told = {each["reason"]: each["clears_by"] for each in shown["levels"]}
    assert len(told) >= 2 and "kill_switch" in told
    assert told == {reason: CLEARED_BY[FsmReason(reason)] for reason in told}
    assert shown["state_ends"] == STATE_ENDS[FsmState.EMERGENCY]
    assert [line for line in text if line.startswith("  kill_switch clears by `gridops fsm ack")]
    assert all(any(words in line for line in text) for words in told.values())
    assert f"  {STATE_ENDS[FsmState.EMERGENCY]}" in text


def test_a_condition_this_build_does_not_know_is_shown_without_words(cli: Runner, home: Home) -> None:
    """A newer engine answers an older command."""
    engine = write_journal(home, HISTORY[:4])
    live = snapshot(engine.state)
    live["levels"] = [{"reason": "gravity_lost", "scope": "account", "held_ms": 5, "detail": "0 g"}]

    async def status(_: dict[str, Any]) -> dict[str, Any]:
        return {"accepted": True, "state": "FLOATING", "detail": "", "snapshot": {**live, "state": "FLOATING"}}

    with serving(home, status):
        shown = cli("fsm", "show", "--json").document()
        text = cli("fsm", "show").out
    assert [(each["reason"], each["clears_by"]) for each in shown["levels"]] == [("gravity_lost", "")]
    assert shown["state_ends"] == "" and "gravity_lost" in text and "clears by" not in text


def test_nothing_ever_ran_here_says_where_it_looked(cli: Runner, home: Home) -> None:
    ran = cli("fsm", "show")
    assert ran.code == 0
    assert "absent" in ran.out and str(home.root) in ran.out
    assert not home.root.exists()


def test_a_standing_kill_latch_is_shown(cli: Runner, home: Home) -> None:
    write_journal(home, [boot()])
    home.kill_latch("paper").write_text(json.dumps({"author": "anna", "reason": "odd", "at_ms": 1}))
    assert cli("fsm", "show", "--json").document()["kill_latch"] == "anna: odd"


def test_a_journal_that_is_none_is_refused_with_evidence(cli: Runner, home: Home) -> None:
    home.ensure()
    home.journal("paper").write_bytes(b"no database at all, but some text that is long enough" * 30)
    ran = cli("fsm", "show")
    assert ran.code == ExitCode.EVIDENCE
    assert ran.refs("out")[0].reason == "evidence_or_journal"


def test_table(cli: Runner, snapshot: SnapshotAssertion) -> None:
    assert "\n".join(cli("fsm", "show", "--table").out.splitlines()[:-1]) == snapshot


def test_the_table_as_json_has_every_pair_once(cli: Runner) -> None:
    rows = cli("fsm", "show", "--table", "--json").document()["rows"]
    assert {(row["state"], row["event"]) for row in rows} == {(s, e) for s in FsmState for e in FsmEvent}
    assert len(rows) == len(ROWS)


def test_drawings_show_every_move_and_mark_the_state(cli: Runner, home: Home, snapshot: SnapshotAssertion) -> None:
    write_journal(home, HISTORY)
    mermaid, dot = cli("fsm", "show", "--format", "mermaid"), cli("fsm", "show", "--format", "dot")
    moves = {(row.state, row.to_state) for row in ROWS if row.moves}
    for start, end in moves:
        assert f"    {start} --> {end}: " in mermaid.out
        assert f"    {start} -> {end} [label=" in dot.out
    assert mermaid.out.count("-->") == len(moves) + 1
    assert "class EMERGENCY here" in mermaid.out and "EMERGENCY [style=filled" in dot.out
    assert mermaid.refs("out") == [] and len(mermaid.refs("err")) == 1
    assert mermaid.out == snapshot
