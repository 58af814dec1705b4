"""The venue's limits: request weight per minute, order counts per account, and the 429 to 418 ladder.

Sits in the gateway. Windows are the calendar minute and the calendar ten seconds, as the venue counts them. It
refuses to forgive: whoever goes on after 429 is banned, each ban twice as long as the one before.
"""

from typing import Any

from gridops.venue.errors import VenueError

WEIGHT_LIMIT_1M = 2_400
ORDER_LIMIT_10S = 300
ORDER_LIMIT_1M = 1_200
STRIKES_TO_BAN = 10
"""Requests sent on while already limited before the address is banned. The venue does not publish its own number."""
FIRST_BAN_MS = 120_000
LONGEST_BAN_MS = 3 * 24 * 3_600_000

_MINUTE_MS = 60_000
_TEN_SECONDS_MS = 10_000


class Window:
    """A counter that falls to zero at each calendar boundary of its length."""

    def __init__(self, length_ms: int, limit: int) -> None:
        self.length_ms = length_ms
        self.limit = limit
        self._index = -1
        self._used = 0

    def used(self, now_ms: int) -> int:
        """The count of the current window."""
        index = now_ms // self.length_ms
        if index != self._index:
            self._index, self._used = index, 0
        return self._used

    def add(self, now_ms: int, cost: int) -> int:
        """Charge and return the new count."""
        self._used = self.used(now_ms) + cost
        return self._used

    def left_s(self, now_ms: int) -> int:
        """Whole seconds until the window opens again, at least one."""
        return max(1, -(-(self.length_ms - now_ms % self.length_ms) // 1_000))


class RateBook:
    """All windows of one address and its accounts."""

    def __init__(self) -> None:
        self._weight = Window(_MINUTE_MS, WEIGHT_LIMIT_1M)
        self._orders: dict[str, tuple[Window, Window]] = {}
        self._strikes = 0
        self._next_ban_ms = FIRST_BAN_MS
        self._banned_until_ms = 0

    def ban(self, until_ms: int) -> None:
        """Ban the address until a moment of the venue clock."""
        self._banned_until_ms = until_ms

    def charge(self, now_ms: int, weight: int) -> None:
        """Count a request; raises 429 (-1003) past the limit and 418 for whoever does not stop."""
        if now_ms < self._banned_until_ms:
            raise self._banned(now_ms)
        if self._weight.used(now_ms) <= WEIGHT_LIMIT_1M:
            self._strikes = 0
        if self._weight.add(now_ms, weight) > WEIGHT_LIMIT_1M:
            raise self._limited(now_ms)

    def charge_orders(self, account: str, now_ms: int, ten_seconds: int, minute: int) -> None:
        """Count order writes of an account; raises 429 (-1015) past either limit."""
        short, long = self._of(account)
        short_used, long_used = short.add(now_ms, ten_seconds), long.add(now_ms, minute)
        if short_used > ORDER_LIMIT_10S:
            raise _too_many_orders(f"{ORDER_LIMIT_10S} orders per TEN_SECONDS", short.left_s(now_ms))
        if long_used > ORDER_LIMIT_1M:
            raise _too_many_orders(f"{ORDER_LIMIT_1M} orders per ONE_MINUTE", long.left_s(now_ms))

    def weight_header(self, now_ms: int) -> dict[str, str]:
        """The header every reply carries."""
        return {"X-MBX-USED-WEIGHT-1M": str(self._weight.used(now_ms))}

    def order_headers(self, account: str, now_ms: int) -> dict[str, str]:
        """The headers replies to order writes carry as well."""
        short, long = self._of(account)
        return {"X-MBX-ORDER-COUNT-10S": str(short.used(now_ms)), "X-MBX-ORDER-COUNT-1M": str(long.used(now_ms))}

    def order_limits(self, account: str, now_ms: int, *, counted: bool) -> list[dict[str, Any]]:
        """Body of GET rateLimit/order; with counts, the order part of a ws-api reply."""
        short, long = self._of(account)
        rows = [("SECOND", 10, short), ("MINUTE", 1, long)]
        return [_row("ORDERS", name, number, window, now_ms, counted) for name, number, window in rows]

    def weight_limit(self, now_ms: int) -> dict[str, Any]:
        """The weight part of a ws-api reply."""
        return _row("REQUEST_WEIGHT", "MINUTE", 1, self._weight, now_ms, counted=True)

    def _of(self, account: str) -> tuple[Window, Window]:
        if account not in self._orders:
            self._orders[account] = Window(_TEN_SECONDS_MS, ORDER_LIMIT_10S), Window(_MINUTE_MS, ORDER_LIMIT_1M)
        return self._orders[account]

    def _limited(self, now_ms: int) -> VenueError:
        self._strikes += 1
        if self._strikes > STRIKES_TO_BAN:
            self._banned_until_ms = now_ms + self._next_ban_ms
            self._next_ban_ms = min(2 * self._next_ban_ms, LONGEST_BAN_MS)
            self._strikes = 0
            return self._banned(now_ms)
        text = (
            f"Too many requests; current limit is {WEIGHT_LIMIT_1M} requests per minute. "
            "Please use the websocket for live updates to avoid polling the API."
        )
        return VenueError(-1003, text, status=429, headers={"Retry-After": str(self._weight.left_s(now_ms))})

    def _banned(self, now_ms: int) -> VenueError:
        text = (
            f"Way too many requests; IP(127.0.0.1) banned until {self._banned_until_ms}. "
            "Please use the websocket for live updates to avoid bans."
        )
        left_s = max(1, -(-(self._banned_until_ms - now_ms) // 1_000))
        return VenueError(-1003, text, status=418, headers={"Retry-After": str(left_s)})


def _too_many_orders(limit: str, left_s: int) -> VenueError:
    text = f"Too many new orders; current limit is {limit}."
    return VenueError(-1015, text, status=429, headers={"Retry-After": str(left_s)})


def _row(kind: str, interval: str, number: int, window: Window, now_ms: int, counted: bool) -> dict[str, Any]:
    row = {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": window.limit}
    return row | {"count": window.used(now_ms)} if counted else row
