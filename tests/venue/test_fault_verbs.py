"""Every fault verb shows its effect to a ccxt client, and the same seed gives the same canonical trace again."""

import re
import types
from typing import Any

import pytest
from gridops.venue.server.fault_verbs import ACTION_VERBS, EVENT_VERBS, REQUEST_VERBS
from tests.venue.ccxt_local import exchange
from tests.venue.fault_drills import DRILLS, Drill, Play, seeded
from tests.venue.payload_scenes import live_venue
from tests.venue.wire_client import KEY, SECRET
from tests.venue.wire_stub import ListMarket, trade

pytestmark = pytest.mark.wire

UNSIGNED = {"timestamp", "recvWindow"}
ENDED_BY = {"ws.unmute", "clock.resume", "market.resume", "venue.mark_release", "venue.book_release"}
"""Verbs that end another one; the drill of that one shows them."""


async def run(drill: Drill) -> tuple[Any, list[Any]]:
    """The script's answer and the canonical trace of the venue."""
    async with live_venue(market=ListMarket([trade(at) for at in range(0, 4_000, 20)])) as venue:
        # The market's time starts with the venue's own, whatever the hour.
        client = exchange(types.SimpleNamespace(rest=venue.rest, api_key=KEY, api_secret=SECRET))  # type: ignore[arg-type]
        play = Play(venue, client)
        try:
            await client.load_markets()
            if drill.fault:
                await play.arm(**drill.fault)
            answer = await drill.script(play)
        finally:
            await play.stop_listening()
            await client.close()
        rows = venue.floor.journal.since(0, 10_000)
        assert venue.floor.journal.internal_errors == []
        assert venue.core.truth()["violations"] == []
    trace = [
        (row["method"], row["path"], {k: v for k, v in row["params"].items() if k not in UNSIGNED}, row["status"],
         row["code"], row["applied"], row["fault"])
        for row in rows
    ]  # fmt: skip
    return answer, trace


@pytest.mark.parametrize("name", DRILLS)
async def test_a_verb_does_what_it_says_and_the_same_again(name: str) -> None:
    drill = DRILLS[name]
    answer, trace = await run(drill)
    assert answer == drill.expected
    assert await run(drill) == (answer, trace)


def test_every_verb_has_a_drill() -> None:
    shown = {name.split()[0] for name in DRILLS} | ENDED_BY
    assert REQUEST_VERBS.keys() | EVENT_VERBS.keys() | ACTION_VERBS.keys() == shown


def by_chance(seed: int) -> Drill:
    """Half of the calls fail."""
    path = {"path": "/fapi/v1/time"}
    return Drill({"verb": "rest.http", "selector": path, "probability": 0.5, "seed": seed}, seeded, None)


def damaged(seed: int) -> Drill:
    """Every answer has a field changed that chance picks."""
    return Drill({"verb": "rest.mutate", "selector": {"path": "/fapi/v1/ticker/bookTicker"}, "seed": seed}, tops, None)


async def tops(play: Play) -> list[str]:
    return [str(await play.client.fapiPublicGetTickerBookTicker({"symbol": "BTCUSDT"})) for _ in range(8)]


async def test_chance_follows_the_seed() -> None:
    first, again, other = [(await run(by_chance(seed)))[0] for seed in (5, 5, 6)]
    assert first == again != other
    assert "ok" in first and any(each != "ok" for each in first)
    first, again, other = [[field_of(row) for row in (await run(damaged(seed)))[0]] for seed in (5, 5, 6)]
    assert first == again != other


def field_of(row: str) -> str:
    """The answer without its moments."""
    return re.sub(r"'time': '?\d+'?", "", row)
