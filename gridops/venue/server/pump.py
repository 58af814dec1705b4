"""The venue's heartbeat: applies market and deadlines when due, flushes windows, runs scheduled faults, keeps
sockets.

Sits on the event loop beside the handlers. It sleeps until the next thing that is due, at most 50 ms; it never blocks
and gives the sockets their turn between batches of a fast market.
"""

import asyncio

from gridops.venue.server import derived
from gridops.venue.server.actions import carry_out
from gridops.venue.server.floor import Floor

_LONGEST_SLEEP_MS = 50
_SHORTEST_SLEEP_MS = 2
_SECOND = 1.0


async def run_market(floor: Floor) -> None:
    """Until the venue stops: everything that happens by itself."""
    while not floor.stopping.is_set():
        floor.wake.clear()
        if not floor.settle():
            await asyncio.sleep(0)
            continue
        floor.release_market()
        floor.hub.flush_windows(floor.clock.now_ms())
        for fault in floor.faults.actions_due(floor.elapsed_ms()):
            carry_out(floor, fault)
        await _sleep(floor)


async def run_seconds(floor: Floor) -> None:
    """Once a second: derived streams, listen keys whose time is over, pings and ages of sockets."""
    while not floor.stopping.is_set():
        await asyncio.sleep(_SECOND)
        derived.publish(floor)
        now_ms = floor.clock.now_ms()
        for account, key in floor.listen_keys.expired(now_ms):
            floor.hub.expire(account, key, now_ms)
        for connection in floor.hub.connections():
            try:
                await connection.keep()
            except ConnectionError:
                connection.abort()


async def run_idle(floor: Floor, idle_exit_s: float) -> None:
    """Stops the venue when no client has asked anything and none has been connected for so long."""
    loop = asyncio.get_running_loop()
    while not floor.stopping.is_set():
        if floor.hub.connections():
            floor.touch()
        left_s = floor.last_seen_s + idle_exit_s - loop.time()
        if left_s <= 0:
            floor.stopping.set()
            return
        await asyncio.sleep(min(left_s, _SECOND))


def wait_ms(floor: Floor) -> int:
    """Milliseconds until the next thing is due."""
    now_ms = floor.clock.now_ms()
    action_ms = floor.faults.next_action_ms()
    dues = [floor.feed.next_ms(), floor.core.next_deadline_ms(), floor.hub.next_window_ms()]
    dues.append(None if action_ms is None else action_ms + floor.started_ms)
    nearest = min((due for due in dues if due is not None), default=now_ms + _LONGEST_SLEEP_MS)
    return max(_SHORTEST_SLEEP_MS, min(nearest - now_ms, _LONGEST_SLEEP_MS))


async def _sleep(floor: Floor) -> None:
    try:
        await asyncio.wait_for(floor.wake.wait(), wait_ms(floor) / 1_000)
    except TimeoutError:
        return
