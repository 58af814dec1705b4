"""The status pages answer on loopback only, and no client, slow or hostile, disturbs the loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from gridops.adapters.http_status import Check, StatusServer, step_age_check
from gridops.errors import ConfigError


class Answers:
    """What the pages will say."""

    def __init__(self) -> None:
        self.health, self.ready = Check(True, "fine"), Check(False, "state DEGRADED")
        self.render: Callable[[], bytes] = lambda: b"gridops_orders_open 0.0\n"


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def server(answers: Answers) -> AsyncIterator[StatusServer]:
    server = StatusServer(
        render=lambda: answers.render(),
        health=lambda: answers.health,
        ready=lambda: answers.ready,
        timeout_s=0.3,
    )
    await server.start()
    yield server
    await server.close()


async def ask(server: StatusServer, raw: bytes) -> tuple[int, bytes, bytes]:
    """Status, head, body; status 0 when the connection was dropped unanswered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(raw)
        await writer.drain()
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    except ConnectionError:
        return 0, b"", b""
    finally:
        writer.transport.abort()
    return (int(head.split(b" ")[1]) if head else 0), head, body


def get(path: str, host: str = "127.0.0.1:9") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: x\r\n\r\n".encode()


async def test_pages_say_what_they_are_told(server: StatusServer, answers: Answers) -> None:
    status, head, body = await ask(server, get("/metrics?x=1"))
    assert (status, body) == (200, b"gridops_orders_open 0.0\n") and b"text/plain; version=0.0.4" in head
    assert (await ask(server, get("/healthz")))[::2] == (200, b"ok fine\n")
    assert (await ask(server, get("/readyz")))[::2] == (503, b"not ok state DEGRADED\n")
    answers.health, answers.ready = Check(False, "last step\n\x1b[2J"), Check(True, "ACTIVE")
    assert (await ask(server, get("/healthz")))[::2] == (503, b"not ok last step \x1b[2J\n")
    assert (await ask(server, get("/readyz")))[0] == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (get("/"), 404),
        (get("/metrics/../../etc/passwd"), 404),
        (get("/metrics").replace(b"GET", b"POST"), 405),
        (get("/metrics", host="evil.example"), 421),
        (get("/metrics", host="127.0.0.1.evil.example"), 421),
        (get("/metrics", host="localhost:1"), 200),
        (get("/metrics", host="[::1]:1"), 200),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xff\r\n\r\n", 400),
        (b"GET /" + b"a" * 100_000 + b"\r\n\r\n", 400),
    ],
)
async def test_nothing_but_the_pages_is_served(server: StatusServer, raw: bytes, status: int) -> None:
    answered = (await ask(server, raw))[0]
    # The kernel may drop the answer to a request we refused to read to its end.
    assert answered == status or (len(raw) > 8192 and answered == 0)
    assert (await ask(server, get("/healthz")))[0] == 200


async def test_head_has_no_body(server: StatusServer) -> None:
    status, head, body = await ask(server, get("/metrics").replace(b"GET", b"HEAD"))
    assert status == 200 and body == b"" and b"Content-Length: 24" in head


async def test_a_page_that_fails_says_nothing_and_the_server_lives(server: StatusServer, answers: Answers) -> None:
    def broken() -> bytes:
        raise RuntimeError("account 12345")

    answers.render = broken
    assert (await ask(server, get("/metrics")))[::2] == (500, b"failed\n")
    assert server.failures == 1 and (await ask(server, get("/healthz")))[0] == 200


async def test_slow_clients_are_dropped_and_hold_nobody_up(server: StatusServer) -> None:
    slow = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
    for _, writer in slow:
        writer.write(b"GET /met")
    began = time.monotonic()
    assert (await ask(server, get("/metrics")))[0] == 200
    assert time.monotonic() - began < 5
    for reader, writer in slow:
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.transport.abort()


async def test_a_client_that_does_not_read_is_dropped(server: StatusServer, answers: Answers) -> None:
    answers.render = lambda: b"x" * 50_000_000
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(get("/metrics"))
    await asyncio.sleep(1.0)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(50_000_000)
    writer.transport.abort()


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "10.0.0.1", "example.com", "127.0.0.1.example.com"])
def test_listening_where_another_host_could_connect_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        StatusServer(render=lambda: b"", health=lambda: Check(True, ""), ready=lambda: Check(True, ""), host=host)


async def test_a_taken_port_is_an_operators_error(server: StatusServer) -> None:
    second = StatusServer(
        render=lambda: b"", health=lambda: Check(True, ""), ready=lambda: Check(True, ""), port=server.port
    )
    with pytest.raises(ConfigError, match=str(server.port)):
        await second.start()
    await second.close()


def test_health_is_the_age_of_the_last_step() -> None:
    ages: list[int | None] = [None, 999, 1000]
    check = step_age_check(lambda: ages.pop(0), 1000)
    assert [check().ok, check().ok, check().ok] == [False, True, False]
