"""SIGINT and SIGTERM stop in order: nothing of ours rests, the dead-man is off, books agree, files are whole."""

import json
import signal
import time
from pathlib import Path

import pytest
from tests.wire.harness import SYMBOL, Bench, assert_truth


@pytest.mark.wire
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_cancels_disarms_and_exits_zero(tmp_path: Path, number: signal.Signals) -> None:
    with Bench(tmp_path, speed="3") as bench:
        engine = bench.start()
        engine.wait(lambda: len(bench.resting()) > 10, 10.0, "a ladder")
        engine.wait(lambda: bench.fills() > 0, 20.0, "a fill")
        engine.send(signal.SIGHUP)
        time.sleep(0.3)
        assert engine.process.poll() is None, "a hang-up never touches trading"
        engine.send(number)
        code, report = engine.finish()
        assert code == 0, engine.errors()
        assert report["states"][-1] == "STOPPING"
        assert bench.resting() == []
        beats = [each for each in bench.requests(0) if each["path"].endswith("/countdownCancelAll")]
        assert beats[0]["params"]["countdownTime"] == "120000"
        assert (beats[-1]["params"]["symbol"], beats[-1]["params"]["countdownTime"]) == (SYMBOL, "0")
        assert bench.truth()["countdowns"] == {}
        assert [line for line in report["resting"] if "position" not in line] == []
        assert bool(report["resting"]) is (bench.position_lots() != 0), "what stays is told"
        _files_are_whole(bench, report)
        assert_truth(bench)


def _files_are_whole(bench: Bench, report: dict[str, object]) -> None:
    lines = [line for path in sorted((bench.home / "log").glob("*.jsonl")) for line in path.read_text().splitlines()]
    events = [json.loads(line) for line in lines]
    assert any(each.get("to_state") == "STOPPING" for each in events)
    assert list((bench.home / "evidence" / "run").glob("*/sha256sums.txt")), report
    assert not list(bench.home.glob("*.sock"))


@pytest.mark.wire
def test_a_second_signal_leaves_at_once_with_130(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        engine.send(signal.SIGSTOP)
        engine.send(signal.SIGINT)
        engine.send(signal.SIGTERM)
        engine.send(signal.SIGCONT)
        began_s = time.monotonic()
        code, report = engine.finish()
        assert (code, report) == (130, {})
        assert time.monotonic() - began_s < 2.0
