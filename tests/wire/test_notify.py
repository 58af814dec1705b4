"""Messages by the real library from a running engine: they arrive, and a target that fails holds up nothing."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters import notify
from tests.wire.harness import Bench, Engine, assert_truth

pytestmark = [pytest.mark.wire, pytest.mark.timeout(180)]
CANARY = "canary0123456789abcdef"
FLAT_S = 5.0


@contextmanager
def receiver() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def hanging() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        yield silent.getsockname()[1]


def bench_with(folder: Path, port: int) -> Bench:
    bench = Bench(folder, GRIDOPS_NOTIFY__LEVEL="warn")
    bench.environment[notify.URLS] = f"json://127.0.0.1:{port}/{CANARY}"
    return bench


def killed(bench: Bench, engine: Engine) -> float:
    """Seconds from the kill until the venue holds nothing of ours."""
    began_s = time.monotonic()
    assert engine.ask("kill", reason="drill")["accepted"]
    engine.wait(lambda: not bench.resting() and not bench.position_lots(), 20.0, "flat")
    return time.monotonic() - began_s


def no_canary(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path.name


def test_an_emergency_is_told_by_the_engine_itself(tmp_path: Path) -> None:
    with receiver() as (port, got), bench_with(tmp_path, port) as bench:
        engine = bench.start()
        assert killed(bench, engine) < FLAT_S
        engine.wait(lambda: any("EMERGENCY" in each["title"] for each in got), 10.0, lambda: f"a message, not {got}")
        told = next(each for each in got if each["title"].endswith("-> EMERGENCY"))
        assert "gridops runbook fsm#kill_switch --execute" in told["message"]
        assert engine.metrics()['gridops_notifications_total{outcome="sent"}'] >= 1
        engine.kill()
        no_canary(tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("target", ["hangs", "is gone"])
def test_a_target_that_fails_holds_up_nothing(tmp_path: Path, target: str) -> None:
    with hanging() as silent, bench_with(tmp_path, silent if target == "hangs" else 9) as bench:
        engine = bench.start()
        for _ in range(3):
            assert engine.ask("pause", reason="drill")["accepted"]
            engine.wait_state("PAUSED")
            assert engine.ask("resume", reason="drill")["accepted"]
            engine.wait_state("ACTIVE")
        assert killed(bench, engine) < FLAT_S
        lost = 'gridops_notifications_total{outcome="failed"}'
        engine.wait(lambda: engine.metrics()[lost] >= 1, 30.0, "a message counted as failed")
        engine.wait(lambda: engine.ask("ack", reason="drill")["accepted"], 60.0, "flat by a read")
        engine.wait_state("ACTIVE", within_s=60.0)
        engine.stop()
        assert_truth(bench)
        no_canary(tmp_path)
