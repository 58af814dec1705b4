"""Which function answers which method and path. The server asks it what exists; it holds no rule itself."""

from collections.abc import Callable
from typing import Any

from gridops.venue.account import Account
from gridops.venue.params import Params
from gridops.venue.world import World

PublicHandler = Callable[[World, Params], Any]
PrivateHandler = Callable[[World, Account, Params], Any]

PUBLIC: dict[tuple[str, str], PublicHandler] = {}
PRIVATE: dict[tuple[str, str], PrivateHandler] = {}


def public(method: str, *paths: str) -> Callable[[PublicHandler], PublicHandler]:
    """Register a handler that needs no account."""

    def keep(handler: PublicHandler) -> PublicHandler:
        for path in paths:
            PUBLIC[(method, path)] = handler
        return handler

    return keep


def private(method: str, *paths: str) -> Callable[[PrivateHandler], PrivateHandler]:
    """Register a handler of a signed route."""

    def keep(handler: PrivateHandler) -> PrivateHandler:
        for path in paths:
            PRIVATE[(method, path)] = handler
        return handler

    return keep
