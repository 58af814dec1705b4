"""Twelve broken situations of a live account: what hurts it, what triage has to answer first, and how it heals.

Chosen by how often operators of such engines report them: a process that died or hangs, streams that fall silent, keys,
bans and outages at the venue, margin, a second engine, and the switches somebody else has thrown.
"""

import contextlib
import signal
import time
from collections.abc import Callable
from decimal import Decimal

from gridops.adapters.home import Home
from gridops.domain.values import record
from gridops.errors import Refused
from tests.wire.harness import ACCOUNT, FEED_STALE_S, SYMBOL, Bench, Engine

Act = Callable[[Bench], None]
USER_STALE_S = 5.0
READ_S = 10.0
"""Without an order to send, a key is next used by the read of open orders."""
KEYED = ("/fapi/v1/openOrders", "/fapi/v1/order", "/fapi/v1/batchOrders")
MARK = Decimal("0.95")


@record
class Situation:
    """`bound_s` is what the condition itself may take by its rule before anything can know of it."""

    question: str
    reason: str
    bound_s: float
    hurt: Act
    heal: Act


def now(bench: Bench) -> Engine:
    """The engine of this round."""
    return bench.engines[-1]


def _dies(bench: Bench) -> None:
    now(bench).kill()


def _again(bench: Bench) -> None:
    bench.start()


def _hangs(bench: Bench) -> None:
    now(bench).send(signal.SIGSTOP)


def _goes_on(bench: Bench) -> None:
    now(bench).send(signal.SIGCONT)


def _feed_silent(bench: Bench) -> None:
    bench.venue.fault("ws.silent", target="market")


def _feed_back(bench: Bench) -> None:
    bench.venue.fault("ws.unmute", target="market")


def _key_expires(bench: Bench) -> None:
    bench.venue.fault("rest.http", selector={"path": "/fapi/v1/listenKey"}, status=503, body="Service unavailable.")
    bench.venue.fault("ws.expire_key")


def _clear(bench: Bench) -> None:
    bench.venue.command("clear")


def _banned(bench: Bench) -> None:
    bench.venue.fault("rest.ban", ms=20_000)


def _waits(_: Bench) -> None:
    """It ends by itself."""


def _refused_key(bench: Bench) -> None:
    for path in KEYED:
        bench.venue.fault("venue.reject", selector={"path": path}, code=-2015, status=401)


def _down(bench: Bench) -> None:
    bench.venue.fault("rest.http", status=503, body="Service unavailable.")


def _other_lease(bench: Bench) -> None:
    lease = Home(bench.home).lease(ACCOUNT)
    lease.rename(lease.with_suffix(".aside"))
    lease.write_text("another engine's")


def _own_lease(bench: Bench) -> None:
    lease = Home(bench.home).lease(ACCOUNT)
    lease.with_suffix(".aside").rename(lease)


def _no_margin(bench: Bench) -> None:
    for path in KEYED[1:]:
        bench.venue.fault("venue.reject", selector={"path": path, "method": "POST"}, code=-2019, status=400)
    for each in bench.resting()[:4]:
        with contextlib.suppress(Exception):
            bench.venue.fault("venue.external", what="cancel", client_id=each["clientOrderId"])


def _killed(bench: Bench) -> None:
    assert now(bench).ask("kill", reason="drill")["accepted"]


def _acknowledged(bench: Bench) -> None:
    bench.venue.fault("venue.mark_release", selector={"symbol": SYMBOL})
    now(bench).wait(lambda: now(bench).ask("ack", reason="drill")["accepted"], 60.0, "flat, and acknowledged")


def _falls(bench: Bench) -> None:
    """The mark turns against a position that another hand took."""
    truth = bench.truth()["positions"][SYMBOL]
    bench.venue.fault("venue.mark", selector={"symbol": SYMBOL}, path=[[0, str(Decimal(str(truth["entry"])) * MARK)]])


def _paused(bench: Bench) -> None:
    assert now(bench).ask("pause", reason="drill")["accepted"]


def _resumed(bench: Bench) -> None:
    with contextlib.suppress(Refused):
        now(bench).ask("resume", reason="drill")


def _situation(question: str, reason: str, hurt: Act, heal: Act, bound_s: float = 0.0) -> Situation:
    return Situation(
        question=question, reason=reason, bound_s=bound_s, hurt=hurt, heal=heal
    )  # fmt: skip


SITUATIONS: dict[str, Situation] = {
    "the process died": _situation("process", "dead", _dies, _again),
    "the process hangs": _situation("process", "hung", _hangs, _goes_on),
    "the market feed is silent": _situation("feeds", "feed_stale", _feed_silent, _feed_back, FEED_STALE_S),
    "the private stream is gone": _situation("feeds", "user_stream_lost", _key_expires, _clear, USER_STALE_S),
    "the address is banned": _situation("venue", "rate_banned", _banned, _waits),
    "the key is refused": _situation("authority", "auth_rejected", _refused_key, _clear, READ_S),
    "the venue is down": _situation("venue", "venue_down", _down, _clear),
    "the lease is another's": _situation("authority", "lease_lost", _other_lease, _own_lease),
    "the margin does not suffice": _situation("refusals", "venue_refuses", _no_margin, _clear),
    "somebody killed": _situation("emergency", "kill_switch", _killed, _acknowledged),
    "somebody paused": _situation("pause", "operator_pause", _paused, _resumed),
    "the drawdown limit was met": _situation("emergency", "drawdown", _falls, _acknowledged),
}
LIMITS = {
    "GRIDOPS_RISK__MAX_DRAWDOWN": "0.02",
    "GRIDOPS_RISK__DAILY_DRAWDOWN": "0.02",
    "GRIDOPS_RISK__SYMBOL_CAP": "40000",
    "GRIDOPS_RISK__ACCOUNT_CAP": "40000",
}
"""Under which a mark five percent off is a drawdown."""


def take_position(bench: Bench) -> None:
    """Another hand gives the account something to lose."""
    bench.venue.fault("venue.external", what="order", side="BUY", quantity="0.200")
    now(bench).wait(lambda: bench.position_lots() > 150, 20.0, "a position")
    time.sleep(1.0)
