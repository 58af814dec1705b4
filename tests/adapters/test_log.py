"""The log keeps every line whole, sorted, redacted and harmless, and a failing disk or terminal costs only lines."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from gridops.adapters.log_json import JsonLog, plain_line
from gridops.adapters.redaction import Secrets, plain, scrub
from gridops.adapters.traceback_hooks import LogBridge
from gridops.errors import ConfigError
from hypothesis import given
from hypothesis import strategies as st

CANARY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
NASTY = "a\x1b]52;c;x\x07\r\n\x9b2J\x7f\u202egnp\u2028z"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[JsonLog]:
    secrets = Secrets()
    secrets.register(CANARY)
    log = JsonLog(tmp_path / "log", secrets=secrets)
    yield log
    log.close()


def lines(log: JsonLog) -> list[dict[str, object]]:
    log.flush()
    return [json.loads(text) for text in log.path.read_text().splitlines()]


def test_one_sorted_line_per_record_in_order(log: JsonLog) -> None:
    for seq in range(100):
        log.write({"seq": seq, "event": "transition", "amount": Decimal("1.10")})
    log.flush()
    assert log.path.read_text().splitlines()[7] == '{"amount":"1.10","event":"transition","seq":7}'
    assert [line["seq"] for line in lines(log)] == list(range(100))
    assert oct(log.path.stat().st_mode & 0o777) == "0o600"


def test_lines_reach_the_file_by_themselves(log: JsonLog) -> None:
    log.write({"event": "now"}, important=True)
    deadline = time.monotonic() + 10
    while not log.path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lines(log) == [{"event": "now"}]


def test_foreign_text_forges_no_line_and_drives_no_terminal(log: JsonLog) -> None:
    log.write({"event": "venue_error", "msg": NASTY, NASTY: [NASTY]})
    log.flush()
    text = log.path.read_text()
    assert text.count("\n") == 1 and text.rstrip("\n").isprintable()
    assert lines(log) == [{"event": "venue_error", "msg": NASTY, NASTY: [NASTY]}]
    assert plain_line({"event": "venue_error", "msg": NASTY}).isprintable()


def test_what_json_or_the_size_cannot_hold_is_still_said(log: JsonLog) -> None:
    log.write({"event": "big", "n": 10**40, "lone": "\ud800"})
    log.write({"event": "long", "text": "x" * 100_000})
    loop: list[object] = []
    loop.append(loop)
    log.write({"event": "loop", "v": loop})
    found = lines(log)
    assert found[0]["n"] == 10**40
    assert found[1]["event"] == "long" and int(str(found[1]["too_long_bytes"])) > 100_000
    assert log.failures == 1 and found[2] == {"event": "log_lines_lost", "lines": 1}


def test_a_secret_and_a_signature_reach_no_line(log: JsonLog) -> None:
    signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    log.write({"event": "request", "url": f"/fapi/v1/order?symbol=X&signature={signature}", "headers": {"K": CANARY}})
    log.write({"event": "ws", "params": json.dumps({"apiKey": CANARY, "signature": signature})})
    log.write({CANARY: 10**40})
    log.flush()
    text = log.path.read_text()
    assert CANARY not in text and signature not in text and text.count("***") == 5


def test_rotation_loses_no_line_and_keeps_the_number_of_files(tmp_path: Path) -> None:
    log = JsonLog(tmp_path, max_bytes=2000, backups=3)
    for seq in range(800):
        log.write({"seq": seq})
        if seq % 10 == 9:
            log.flush()
    log.close()
    files = ["gridops.3.jsonl", "gridops.2.jsonl", "gridops.1.jsonl", "gridops.jsonl"]
    assert sorted(os.listdir(tmp_path)) == sorted(files)
    assert all((tmp_path / name).stat().st_size <= 2000 for name in files)
    kept = [json.loads(text)["seq"] for name in files for text in (tmp_path / name).read_text().splitlines()]
    assert kept == list(range(kept[0], 800)) and len(kept) > 500


def test_a_disk_that_fails_costs_lines_counts_them_and_says_so_later(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.write_text("a file where the folder should be")
    log = JsonLog(folder)
    for _ in range(3):
        log.write({"event": "x"})
        log.flush()
    assert log.failures == 3
    folder.unlink()
    log.write({"event": "back"})
    log.flush()
    assert lines(log) == [{"event": "back"}, {"event": "log_lines_lost", "lines": 3}]
    log.close()
    log.write({"event": "too late"})
    assert log.failures == 4


def test_a_line_torn_by_a_kill_is_not_glued_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "gridops.jsonl").write_bytes(b'{"half":')
    log = JsonLog(tmp_path)
    log.write({"event": "next"})
    log.close()
    assert log.path.read_bytes() == b'{"half":\n{"event":"next"}\n'


def test_threads_do_not_mix_lines(log: JsonLog) -> None:
    def work(who: int) -> None:
        for seq in range(200):
            log.write({"who": who, "seq": seq})

    threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines(log)
    assert len(found) == 800
    assert all([each["seq"] for each in found if each["who"] == who] == list(range(200)) for who in range(4))


def test_stderr_that_nobody_reads_holds_nothing_up(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gridops.adapters.log_json import JsonLog\n"
        "log = JsonLog(Path(sys.argv[1]), stderr=True)\n"
        "for seq in range(5000): log.write({'seq': seq, 'text': 'x' * 100})\n"
        "log.close(); print(log.failures, log.stderr_dropped > 0)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.wait(60) == 0
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.read() == "0 True\n"
        assert child.stderr.readline() == '{"seq":0,"text":"' + "x" * 100 + '"}\n'
    finally:
        child.kill()
        child.communicate()
    assert len((tmp_path / "gridops.jsonl").read_text().splitlines()) == 5000


def test_tracebacks_of_every_kind_are_redacted(tmp_path: Path) -> None:
    program = """
import logging, sys, threading
from pathlib import Path
from gridops.adapters.log_json import JsonLog
from gridops.adapters.redaction import Secrets
from gridops.adapters.traceback_hooks import install_hooks
secrets = Secrets(); secrets.register(sys.argv[2])
log = JsonLog(Path(sys.argv[1]), secrets=secrets)
install_hooks(secrets, log)
def die(): raise RuntimeError(chr(27) + "[2J" + sys.argv[2])
class Gone:
    def __del__(self): die()
thread = threading.Thread(target=die); thread.start(); thread.join()
gone = Gone(); del gone
logging.getLogger("lib").error("key %s", sys.argv[2])
logging.getLogger("lib").error("broken %d", sys.argv[2])
try: die()
except RuntimeError:
    log.flush()
    raise
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), CANARY], capture_output=True, text=True, timeout=60
    )
    said = done.stderr + (tmp_path / "gridops.jsonl").read_text()
    assert done.returncode == 1 and CANARY not in said and "\x1b" not in said
    assert done.stderr.count("RuntimeError: \\u001b[2J***") == 3
    events = [json.loads(text) for text in (tmp_path / "gridops.jsonl").read_text().splitlines()]
    assert [each.get("where", each["event"]) for each in events] == ["thread", "unraisable", "library_log"]


def test_library_log_without_a_file_goes_to_stderr_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    secrets = Secrets()
    secrets.register(CANARY)
    LogBridge(secrets).handle(logging.makeLogRecord({"name": "lib", "levelno": 40, "msg": f"x {CANARY}\x1b"}))
    assert capsys.readouterr().err == "lib: x ***\\u001b\n"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=8, max_size=30), st.text(), st.text())
def test_no_spelling_of_a_secret_survives(secret: str, before: str, after: str) -> None:
    secrets = Secrets()
    secrets.register(secret)
    text = before + secret + after
    clean = secrets.redact(text)
    assert secret not in clean or secret in "***" + after or secret in before + "***"
    assert json.dumps(secret)[1:-1] not in secrets.redact(json.dumps(secret))
    assert repr(secret)[1:-1] not in secrets.redact(repr(secret))
    assert secrets.redact(text.encode()) == clean.encode()


def test_a_secret_inside_a_longer_one_leaves_no_rest() -> None:
    secrets = Secrets()
    secrets.register("abcdefgh")
    secrets.register("xxabcdefghyy")
    assert secrets.redact("1 xxabcdefghyy 2 abcdefgh") == "1 *** 2 ***"
    with pytest.raises(ConfigError) as refused:
        secrets.register("short")
    assert "short'" not in str(refused.value)


def test_payload_fields_outside_the_allow_list_are_blanked() -> None:
    secrets = Secrets()
    secrets.register(CANARY)
    payload = {
        "orderId": 1, "price": Decimal("1.5"), "listenKey": "pqia91ma19a5s61cv6a81va65sdf19v8a65a1",
        "email": "a@b.c", "o": {"s": "BTCUSDT", "apiKey": "x", "c": f"go{CANARY}", "deep": {"orderId": 2}},
        "orders": [{"symbol": "x" * 9000, "accountAlias": "SgsR"}],
    }  # fmt: skip
    clean = scrub(payload, secrets)
    assert isinstance(clean, dict)
    assert clean["listenKey"] == clean["email"] == "***" and clean["price"] == "1.5" and clean["orderId"] == 1
    assert clean["o"] == {"s": "BTCUSDT", "apiKey": "***", "c": "go***", "deep": "***"}
    assert clean["orders"][0]["accountAlias"] == "***" and len(clean["orders"][0]["symbol"]) < 4200


def test_recorded_private_payloads_keep_their_facts_and_lose_what_names_the_account(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "protocol").rglob("*.json"))[:2000]:
        if "binance_usdm" not in str(path):
            continue
        text = json.dumps(scrub(json.loads(path.read_text()), Secrets()))
        seen += 1
        for name in ("listenKey", "accountAlias", "email"):
            assert f'"{name}": "***"' in text or f'"{name}"' not in text, path.name
    assert seen > 20


def test_plain_keeps_ordinary_text_of_any_language() -> None:
    assert plain("räksmörgås 你好 🚀") == "räksmörgås 你好 🚀"
    assert plain("a\tb\n", keep="\n") == "a\\u0009b\n"
