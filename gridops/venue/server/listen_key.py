"""Life cycle of the keys that open a private stream: one live key per account, sixty minutes, extended by use.

Sits beside the streams. It only keeps time; closing sockets and telling clients is the hub's work.
"""

import secrets

from gridops.venue.errors import VenueError

LIFE_MS = 60 * 60_000
"""A key lives this long after its last POST or PUT (user data streams documentation)."""


class ListenKeys:
    """Which key belongs to which account, and until when."""

    def __init__(self) -> None:
        self._by_account: dict[str, tuple[str, int]] = {}

    def dump(self) -> dict[str, tuple[str, int]]:
        """What the store keeps, so that a restarted venue knows its clients' keys."""
        return dict(self._by_account)

    def restore(self, kept: dict[str, tuple[str, int]]) -> None:
        """Take back what `dump` gave."""
        self._by_account = {account: (key, until_ms) for account, (key, until_ms) in kept.items()}

    def start(self, account: str, now_ms: int) -> str:
        """The account's live key, extended; a new one when there is none."""
        key = self.live_key(account, now_ms) or secrets.token_hex(32)
        self._by_account[account] = key, now_ms + LIFE_MS
        return key

    def extend(self, account: str, now_ms: int) -> str:
        """Sixty more minutes; -1125 when no key is alive."""
        key = self.live_key(account, now_ms)
        if key is None:
            raise dead_key()
        self._by_account[account] = key, now_ms + LIFE_MS
        return key

    def close(self, account: str, now_ms: int) -> str | None:
        """End the account's key; returns it when it was alive."""
        key = self.live_key(account, now_ms)
        self._by_account.pop(account, None)
        return key

    def owner(self, key: str, now_ms: int) -> str | None:
        """The account of a live key."""
        for account, (known, until_ms) in self._by_account.items():
            if known == key and now_ms < until_ms:
                return account
        return None

    def expired(self, now_ms: int) -> list[tuple[str, str]]:
        """(account, key) of every key whose time is over; they are forgotten by this call."""
        over = [(account, key) for account, (key, until_ms) in self._by_account.items() if now_ms >= until_ms]
        for account, _key in over:
            del self._by_account[account]
        return over

    def live_key(self, account: str, now_ms: int) -> str | None:
        """The account's key while it lives."""
        key, until_ms = self._by_account.get(account, ("", 0))
        return key if now_ms < until_ms else None


def dead_key() -> VenueError:
    """-1125."""
    text = "This listenKey does not exist. Please use `POST /fapi/v1/listenKey` to recreate `listenKey`"
    return VenueError(-1125, text)
