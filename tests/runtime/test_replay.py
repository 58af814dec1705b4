"""Equal history, equal bytes: a journal replays to the rows it holds, whatever the process's hash seed."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from gridops.domain.events import LoopReport, OperatorInput
from gridops.domain.vocabulary import OperatorCommand, Side
from gridops.errors import JournalError
from gridops.runtime.engine import recover
from gridops.runtime.ports_journal import InputRow, Tail
from gridops.runtime.state import EngineState
from gridops.runtime.state_codec import decode_state, encode_state
from tests.runtime.engine_kit import RULES, Desk


def _busy_desk() -> Desk:
    """Quoting, fills told and found, moves, a pause, a stop in the middle."""
    desk = Desk()
    desk.up()
    for number, side in enumerate((Side.BUY, Side.SELL, Side.BUY)):
        order = desk.nearest(side)
        seen = desk.open_orders[order.client_id]
        desk.settle(desk.feed(desk.report(seen, desk.trade(order.client_id, 100 + number)), after_ms=5))
        desk.settle(desk.view(desk.bid + 700 * order.side.sign))
        desk.run_ms(2_500)
    pause = OperatorInput(command=OperatorCommand.PAUSE, request_id="r", author="test", reason="drill")
    desk.settle(desk.feed(pause))
    desk.settle(desk.feed(LoopReport(lag_ms=3_000, resumed=True), after_ms=3_000))
    desk.run_ms(2_000)
    return desk


def _digest(desk: Desk) -> str:
    rows = b"".join(body for _, _, body in desk.history)
    return sha256(rows + encode_state(desk.state)).hexdigest()


def test_a_journal_recovers_to_the_bytes_of_the_state_that_wrote_it() -> None:
    desk = _busy_desk()
    rows = [InputRow(header.seq, header.wall_ms, type(event).__name__, body) for header, event, body in desk.history]
    again = recover(Tail(None, rows, 0), EngineState(rules=RULES))
    assert encode_state(again.state) == encode_state(desk.state)
    assert again.records_digest == desk.engine.records_digest


def test_rows_of_the_same_build_must_replay_and_those_of_another_are_decided_anew() -> None:
    desk = _busy_desk()
    rows = [InputRow(header.seq, header.wall_ms, type(event).__name__, body) for header, event, body in desk.history]
    build = desk.state.identity.build
    changed = rows[-1]._replace(body=rows[-1].body[:-2] + b" ]]")
    told = Tail(None, [*rows[:-1], changed], 0)
    for strict in (None, build):
        with pytest.raises(JournalError, match=f"row {changed.seq} does not replay"):
            recover(told, EngineState(rules=RULES), build=strict)
    again = recover(told, EngineState(rules=RULES), build=f"{build}.1")
    assert encode_state(again.state) == encode_state(desk.state)


def test_a_restored_checkpoint_goes_on_to_the_same_bytes() -> None:
    """No part of the state that matters may be lost on the way through a checkpoint."""
    desk = _busy_desk()
    half = len(desk.history) // 2
    fresh = Desk()
    for header, event, _ in desk.history[:half]:
        fresh.engine.handle(header, event)
    fresh.engine.state = decode_state(encode_state(fresh.state))
    for header, event, body in desk.history[half:]:
        assert fresh.engine.handle(header, event)[1] == body, f"input {header.seq}"


def test_the_hash_seed_of_the_process_changes_nothing() -> None:
    script = "from tests.runtime.test_replay import _busy_desk, _digest; print(_digest(_busy_desk()))"
    root = Path(__file__).resolve().parents[2]
    said = set()
    for seed in ("1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=root, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        said.add(done.stdout.strip())
    assert said == {_digest(_busy_desk())}
