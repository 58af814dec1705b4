"""A real engine under failures leaves no secret behind: not in its files, pages, words, nor where `ps` looks.

The secrets are the ones the venue itself gave out and received: keys, control token, listen keys, request signatures.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gridops.adapters.home import Home
from gridops.venue.store import KEYS, NOTE
from tests.wire.harness import ACCOUNT, Bench

pytestmark = [pytest.mark.wire, pytest.mark.timeout(150)]

SIGNATURE = re.compile(rb"signature[\"'\\ ]*[=:][\"'\\ ]*[0-9a-f]{64}")


def given_out(bench: Bench) -> set[bytes]:
    """Every secret that the venue made, by its own store."""
    store = Home(bench.home).paper_venue_dir(ACCOUNT)
    held = bench.venue
    found = {each.encode() for each in (held.api_key, held.api_secret, held.control_token)}
    texts = [(store / name).read_text() for name in (KEYS, NOTE) if (store / name).exists()]
    found |= {word.encode() for text in texts for word in re.findall(r"[A-Za-z0-9]{60,}", text)}
    return found


def gridops(bench: Bench, *words: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "gridops_cli", *words, "--home", str(bench.home)],
        env=bench.environment, cwd=bench.home.parent, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_no_secret_of_the_venue_is_left_anywhere(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        engine = bench.start()
        said = [Path(f"/proc/{engine.pid}/cmdline").read_bytes(), json.dumps(engine.ask("status")).encode()]
        said.append(json.dumps(engine.ask("pause", reason=f"see {bench.venue.api_secret}")).encode())
        engine.wait_state("PAUSED")
        engine.ask("resume", reason=bench.venue.api_key)
        told = {"msg": f"no {bench.venue.api_key}", "status": 400}
        for verb, rest in (
            ("venue.reject", {**told, "code": -2015, "status": 401, "n": 2}),
            ("venue.reject", {**told, "code": -1022, "msg": f"signature {bench.venue.api_secret}", "n": 2}),
            ("rest.http", {"status": 500, "body": f"<p>{bench.venue.api_key} {bench.venue.control_token}</p>", "n": 2}),
            ("ws.mutate", {"field": "s", "value": bench.venue.api_secret, "n": 2}),
            ("ws.expire_key", {}),
            ("ws.close", {}),
        ):
            bench.venue.fault(verb, **rest)
            time.sleep(1)
        secrets = given_out(bench)
        said.append(json.dumps(engine.metrics()).encode())
        said.append(gridops(bench, "triage", "--bundle"))
        engine.kill()
        said += [gridops(bench, *words) for words in (["doctor", "--bundle"], ["sync"], ["fsm", "show", "--json"])]
        said.append(gridops(bench, "kill", "--direct", "--reason", "a drill of secrets"))
        secrets |= given_out(bench)
        assert len(secrets) >= 4
        store = Home(bench.home).paper_venue_dir(ACCOUNT)
        files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(store)]
        assert [path for path in files if path.suffix == ".jsonl"]
        shown = {str(path): path.read_bytes() for path in files} | {f"answer {n}": each for n, each in enumerate(said)}
        leaks = [n for n, data in shown.items() if SIGNATURE.search(data) or any(each in data for each in secrets)]
        where = {name: context(shown[name], secrets) for name in leaks}
        assert where == {}


def context(data: bytes, secrets: set[bytes]) -> bytes:
    """What stands before the first secret; never the secret."""
    found = min((data.find(each) for each in secrets if each in data), default=-1)
    return data[max(0, found - 120) : found] if found >= 0 else b"a signature"
