"""What strikes during a soak on the wire, and when: a seeded list of faults for the emulator and for the process.

Data under `soak`, which carries it out. Every fault ends by its count or by its time, so that a long soak is many short
troubles, not one; it plans none that the engine may answer by latching for good.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from gridops.domain.values import record

MEAN_S = 40.0
"""Between two faults at intensity 1."""
MOST_MS = 30_000
"""No fault lasts longer."""
ENGINE = ("engine.freeze", "engine.kill")

_ORDER = "/fapi/v1/*"
_Drawn = tuple[str, dict[str, Any]]


@record
class Strike:
    """One fault: `body` as the control port takes it. `lasts_s` is when its count or time is surely over."""

    at_s: float
    verb: str
    body: Mapping[str, Any]
    lasts_s: float


def plan(seed: int, seconds: float, intensity: float, kills: int) -> list[Strike]:
    """The strikes of one soak by time.

    `kills` SIGKILLs fall into the first third: what comes after is one long life, which shows a slope.
    """
    chance = Random(f"{seed}|soak")
    found: list[Strike] = []
    at_s = chance.expovariate(intensity / MEAN_S)
    while at_s < seconds:
        verb, body = chance.choice(_KINDS)(chance)
        found.append(Strike(at_s=at_s, verb=verb, body=body, lasts_s=body.get("for_ms", MOST_MS) / 1_000))
        at_s += chance.expovariate(intensity / MEAN_S)
    killed = Random(f"{seed}|kills")
    found += [
        Strike(at_s=killed.uniform(0.02, 0.33) * seconds, verb="engine.kill", body={}, lasts_s=0) for _ in range(kills)
    ]
    return sorted(found, key=lambda each: each.at_s)


def _for(chance: Random, low_ms: int, high_ms: int) -> int:
    return chance.randint(low_ms, high_ms)


def _lasting(verb: str, low_ms: int, high_ms: int, **rest: Any) -> Callable[[Random], _Drawn]:
    return lambda chance: (verb, {"for_ms": _for(chance, low_ms, high_ms), **rest})


def _few(verb: str, most: int, selector: Mapping[str, str] | None = None, **args: Any) -> Callable[[Random], _Drawn]:
    """The next few calls or frames that fit."""
    return lambda chance: (verb, {"n": chance.randint(1, most), "selector": dict(selector or {}), "args": args})


def _slow(verb: str) -> Callable[[Random], _Drawn]:
    return lambda chance: (
        verb,
        {
            "for_ms": _for(chance, 3_000, 20_000),
            "args": {"ms": chance.choice((150, 600, 2_500))},
            "probability": 0.5,
            "seed": chance.randrange(1 << 30),
        },
    )


def _socket(verb: str, *targets: str) -> Callable[[Random], _Drawn]:
    def drawn(chance: Random) -> _Drawn:
        body: dict[str, Any] = {"args": {"target": chance.choice(targets)}}
        return verb, body | ({"for_ms": _for(chance, 2_000, 20_000)} if verb == "ws.silent" else {})

    return drawn


def _key(chance: Random) -> _Drawn:
    return "ws.expire_key", {"args": {"silent": chance.random() < 0.5}}


def _ban(chance: Random) -> _Drawn:
    return "rest.ban", {"args": {"ms": _for(chance, 3_000, MOST_MS)}}


def _skew(chance: Random) -> _Drawn:
    return "clock.skew", {"args": {"ms": chance.choice((-1_500, -300, 300, 1_500))}}


def _hand(chance: Random) -> _Drawn:
    quantity = f"0.00{chance.randint(1, 5)}"
    args = {"what": "order", "side": chance.choice(("BUY", "SELL")), "quantity": quantity}
    return "venue.external", {"args": args | {"client_id": f"web_{chance.randrange(1 << 40)}"}}


def _transfer(chance: Random) -> _Drawn:
    return "venue.external", {"args": {"what": "transfer", "amount": str(chance.randint(-20, 40))}}


def _freeze(chance: Random) -> _Drawn:
    return "engine.freeze", {"for_ms": chance.choice((300, 1_000, 4_000, 12_000))}


_WRITES = {"path": "/fapi/v1/order"}
_BATCHES = {"path": "/fapi/v1/batchOrders"}
_USER = {"event": "ORDER_TRADE_UPDATE"}
_KINDS: tuple[Callable[[Random], _Drawn], ...] = (
    _socket("ws.close", "market", "user", "ws_api", "all"),
    _socket("ws.close", "market", "user"),
    _socket("ws.silent", "market", "user"),
    _socket("ws.halfopen", "market", "user"),
    _key,
    _few("ws.drop", 3, _USER),
    _few("ws.drop", 20, {"event": "bookTicker"}),
    _few("ws.dup", 5, _USER),
    _few("ws.delay", 5, _USER, ms=1_500),
    _few("ws.reorder", 3, _USER),
    _few("rest.http", 4, {"path": _ORDER}, status=429, code=-1003, headers={"Retry-After": "2"}),
    _few("rest.http", 5, {"path": "/fapi/*"}, status=502, code=-1000),
    _few("rest.http", 5, {"path": "/fapi/*"}, status=503, code=-1001),
    _few("rest.apply_then_http", 2, _WRITES, status=503, code=-1007),
    _few("rest.apply_then_http", 2, _BATCHES, status=503, code=-1007),
    _lasting("rest.overload", 3_000, 20_000),
    _slow("rest.delay"),
    _slow("rest.delay_resp"),
    _few("rest.drop_req", 3, {"path": "/fapi/*"}),
    _few("rest.drop_resp", 3, {"path": "/fapi/*"}),
    _few("rest.html", 3, {"path": "/fapi/*"}),
    _few("rest.trunc", 3, {"path": "/fapi/*"}),
    _few("rest.stale_read", 2, {"method": "GET"}, lag_ms=1_500),
    _few("venue.reject", 3, _WRITES, code=-2019),
    _few("venue.reject", 3, _BATCHES, code=-2019),
    _few("venue.fill", 1, {"method": "PUT"}, point="before"),
    _lasting("venue.maintenance", 3_000, 12_000),
    _lasting("market.pause", 2_000, 10_000),
    lambda _: ("venue.funding", {"args": {"rate": "0.0001"}}),
    _ban,
    _skew,
    _hand,
    _transfer,
    _freeze,
)  # fmt: skip
