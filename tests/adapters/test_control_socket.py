"""The control socket carries an operator's word to a live engine, and tells a dead one from a hung one."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gridops.adapters import control_socket
from gridops.adapters.control_client import MAX_LINE, EngineHung, EngineNotRunning, ask, user_name
from gridops.adapters.control_socket import (
    ControlServer,
    Malformed,
    parse_request,
)
from gridops.errors import Refused

GOOD = {"v": 1, "command": "pause", "author": "", "reason": "odd fills"}


class Engine:
    """Answers as told and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if request["reason"] == "hang":
            await asyncio.sleep(60)
        return {"accepted": True, "state": "PAUSED", "detail": "paused", "evidence": None}


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def server(tmp_path: Path, engine: Engine) -> AsyncIterator[ControlServer]:
    served = ControlServer(tmp_path / "s", engine.handle)
    await served.start()
    yield served
    await served.close()


async def _ask(path: Path, request: dict[str, Any], timeout_s: float = 5.0) -> dict[str, Any]:
    return await asyncio.to_thread(ask, path, request, timeout_s)


async def _raw(path: Path, sent: bytes) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(sent)
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    answer: dict[str, Any] = json.loads(line)
    return answer


async def test_a_request_reaches_the_engine_with_its_sender(server: ControlServer, engine: Engine) -> None:
    reply = await _ask(server.path, GOOD)
    assert reply == {"v": 1, "accepted": True, "state": "PAUSED", "detail": "paused", "evidence": None}
    (asked,) = engine.asked
    assert asked["author"] == user_name()
    assert (asked["peer_uid"], asked["peer_pid"]) == (os.getuid(), os.getpid())
    assert asked["accept_position"] is False and asked["stop_mode"] is None
    await _ask(server.path, {**GOOD, "author": "anna"})
    assert engine.asked[-1]["author"] == "anna"


async def test_the_socket_is_closed_to_others(server: ControlServer) -> None:
    assert server.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"pause\n", "not JSON"),
        (b"[1]\n", "not an object"),
        (b"\xff\n", "not JSON"),
        (b"[" * 50_000 + b"\n", "not JSON"),
        (json.dumps({**GOOD, "v": 2}).encode() + b"\n", "version 2"),
        (json.dumps({**GOOD, "v": True}).encode() + b"\n", "version True"),
        (json.dumps({**GOOD, "command": "fly"}).encode() + b"\n", "'fly' is none of"),
        (json.dumps({**GOOD, "command": ["pause"]}).encode() + b"\n", "is none of"),
        (json.dumps({**GOOD, "reason": ""}).encode() + b"\n", "needs a reason"),
        (json.dumps({**GOOD, "reason": "a\nb"}).encode() + b"\n", "not plain text"),
        (json.dumps({**GOOD, "reason": "x" * 501}).encode() + b"\n", "at most 500"),
        (json.dumps({**GOOD, "author": 7}).encode() + b"\n", "author is not plain text"),
        (json.dumps({**GOOD, "accept_position": 1}).encode() + b"\n", "neither true nor false"),
        (json.dumps({**GOOD, "stop_mode": "run"}).encode() + b"\n", "is none of"),
        (json.dumps({**GOOD, "extra": 1}).encode() + b"\n", "unknown field 'extra'"),
        (b'"' + b"x" * (MAX_LINE + 10) + b'"\n', "longer than"),
    ],
)
async def test_malformed_input_is_answered_and_reaches_nobody(
    server: ControlServer, engine: Engine, sent: bytes, said: str
) -> None:
    answer = await _raw(server.path, sent)
    assert answer["accepted"] is False
    assert said in answer["detail"]
    assert engine.asked == []


def test_a_stop_may_name_its_mode_and_needs_no_reason() -> None:
    assert parse_request(b'{"v":1,"command":"stop","stop_mode":"flatten"}')["stop_mode"] == "flatten"
    with pytest.raises(Malformed):
        parse_request(b'{"v":1,"command":"stop","stop_mode":["flatten"]}')


def test_a_signal_carries_exactly_its_three_fields() -> None:
    def asked(signal: str, command: str = "signal") -> bytes:
        return f'{{"v":1,"command":"{command}","reason":"x","signal":{signal}}}'.encode()

    good = '{"name":"toxicity","scaled":2000,"ttl_ms":60000}'
    assert parse_request(asked(good))["signal"] == {"name": "toxicity", "scaled": 2000, "ttl_ms": 60000}
    assert parse_request(b'{"v":1,"command":"status"}')["signal"] is None
    for bad in (
        asked("null"),
        asked("[]"),
        asked('{"name":"toxicity","scaled":2000}'),
        asked('{"name":"toxicity","scaled":2000,"ttl_ms":1,"source":"me"}'),
        asked('{"name":"toxicity","scaled":true,"ttl_ms":1}'),
        asked('{"name":"toxicity","scaled":2.5,"ttl_ms":1}'),
        asked('{"name":["toxicity"],"scaled":1,"ttl_ms":1}'),
        asked(f'{{"name":"{"x" * 41}","scaled":1,"ttl_ms":1}}'),
        asked(f'{{"name":"toxicity","scaled":{"9" * 41},"ttl_ms":1}}'),
        asked(good, "pause"),
        b'{"v":1,"command":"signal","signal":' + good.encode() + b"}",
    ):
        with pytest.raises(Malformed):
            parse_request(bad)


async def test_another_user_is_turned_away(
    server: ControlServer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "_peer", lambda writer: (1, os.getuid() + 1))
    assert "another user" in (await _ask(server.path, GOOD))["detail"]
    assert engine.asked == []


async def test_a_silent_connection_does_not_hold_the_server(
    server: ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "READ_WITHIN_S", 0.1)
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()
    await writer.wait_closed()
    assert (await _ask(server.path, GOOD))["accepted"] is True


async def test_no_socket_is_an_engine_that_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(EngineNotRunning) as refused:
        ask(tmp_path / "absent", GOOD, 1.0)
    assert str(tmp_path / "absent") in str(refused.value)
    assert "kill --direct" in str(refused.value.hint)


async def test_a_socket_left_behind_is_an_engine_that_does_not_run(tmp_path: Path, engine: Engine) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    with pytest.raises(EngineNotRunning):
        ask(tmp_path / "s", GOOD, 1.0)
    served = ControlServer(tmp_path / "s", engine.handle)
    await served.start()
    assert (await _ask(tmp_path / "s", GOOD))["accepted"] is True
    await served.close()
    assert not (tmp_path / "s").exists()


async def test_a_stopped_process_is_hung(tmp_path: Path) -> None:
    code = (
        "import socket,sys,time; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen();"
        "print('up', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "s")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        process.stdout.readline()
        with pytest.raises(EngineHung) as refused:
            ask(tmp_path / "s", GOOD, 0.2)
        assert "kill --direct" in str(refused.value.hint)
    finally:
        process.kill()
        process.communicate()


async def test_an_engine_that_takes_the_request_and_never_answers_is_hung(server: ControlServer) -> None:
    with pytest.raises(EngineHung):
        await _ask(server.path, {**GOOD, "reason": "hang"}, 0.3)


async def test_a_second_engine_cannot_take_the_socket(server: ControlServer, engine: Engine) -> None:
    second = ControlServer(server.path, engine.handle)
    with pytest.raises(Refused, match="another engine listens"):
        await second.start()
    await second.close()
    assert (await _ask(server.path, GOOD))["accepted"] is True


async def test_a_file_in_the_sockets_place_is_left_alone(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(Refused, match="no socket"):
        await ControlServer(tmp_path / "s", engine.handle).start()
    assert (tmp_path / "s").read_text() == "precious"


async def test_whatever_answers_strangely_is_no_engine(tmp_path: Path) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"v":9}\n')
        writer.close()

    other = await asyncio.start_unix_server(odd, str(tmp_path / "s"))
    with pytest.raises(Refused, match="no engine of this version"):
        await _ask(tmp_path / "s", GOOD)
    other.close()
    await other.wait_closed()
