"""What a live run's collector never gets to by itself is given back every so often."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Iterator
from weakref import ref

import pytest
import yarl
from gridops.sim.soak import resident
from gridops.usecases import run_watchers

CONNECTIONS = 8


@pytest.fixture(autouse=True)
def thresholds_never_reached() -> Iterator[None]:
    """As in a run: its thresholds are out of reach."""
    gc.disable()
    yield
    gc.enable()


async def test_free_pages_inside_the_heap_are_given_back() -> None:
    """Blocks of 2 kB come from the C library; the few that stay lie all over the heap."""
    blocks = [bytes(2_000) for _ in range(20_000)]
    kept = blocks[::500]
    del blocks
    before = resident()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(run_watchers.memory(0.001), 0.1)
    assert len(kept) == 40
    assert before - resident() > 20_000_000


async def test_closed_connections_are_given_back() -> None:
    """Each is a ring: asyncio's transport holds a method of its own."""
    closed: list[ref[asyncio.BaseTransport]] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        closed.append(ref(writer.transport))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        for _ in range(CONNECTIONS):
            reader, writer = await asyncio.open_connection(host, port)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
    del reader, writer
    assert [each() for each in closed].count(None) == 0, "a collection is not needed any more: nor is the watcher"
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(run_watchers.memory(0.001), 0.1)
    assert [each() for each in closed] == [None] * CONNECTIONS


async def test_names_that_were_looked_up_are_not_kept() -> None:
    """ccxt asks its session for `method.lower()`: each request makes the name anew."""
    names = ["".join(("never", "_", str(number))) for number in range(200)]
    before = _held(names)
    assert not any(hasattr(asyncio.get_running_loop(), each) for each in names)
    assert _held(names) > before, "a lookup does not keep its name any more: nor is the watcher needed for it"
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(run_watchers.memory(0.001), 0.1)
    assert _held(names) == before


async def test_urls_of_past_requests_are_not_kept() -> None:
    urls = [yarl.URL(f"http://127.0.0.1/fapi/v1/order?signature={number}", encoded=True) for number in range(40)]
    urls += [yarl.URL(f"http://127.0.0.1/fapi/v1/order?plain={number}") for number in range(40)]
    elsewhere = min(map(sys.getrefcount, [object()]))
    assert min(map(sys.getrefcount, urls)) > elsewhere, "yarl keeps none any more: nor is the watcher needed for it"
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(run_watchers.memory(0.001), 0.1)
    assert max(map(sys.getrefcount, urls)) == elsewhere


def _held(names: list[str]) -> int:
    return sum(map(sys.getrefcount, names))
