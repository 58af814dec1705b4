"""One question more while a request's body is about to be written: may it still leave?

Between the task's own look and the socket lie a connection that must be dialled first, and one pass of the event loop.
Only requests with a body are asked about, which are those that place and amend; it decides nothing itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import aiohttp

Objection = Callable[[], str]
"""Why a request may not leave any more; empty while it may."""


def _over() -> str:
    return "nobody waits for its answer any more"


class Look:
    """One request's question, and what it was answered in the end."""

    __slots__ = ("asked", "question", "why")

    def __init__(self, question: Objection) -> None:
        self.question, self.asked, self.why = question, False, ""


class _Refused(Exception):
    """The body is not written; the library ends the request and closes its connection."""


_LOOK: ContextVar[Look | None] = ContextVar("gridops_last_look", default=None)


@contextmanager
def asking(question: Objection) -> Iterator[Look]:
    """Calls made inside are asked about; afterwards `why` says what kept one from leaving.

    A connection and a timer keep the context they were made in: the question, and what it holds, is let go.
    """
    look = Look(question)
    token = _LOOK.set(look)
    try:
        yield look
    finally:
        _LOOK.reset(token)
        look.question = _over


def watch(session: Any) -> None:
    """Have a session ask. Headers wait in its writer until there is a body, so nothing has left before."""
    config = aiohttp.TraceConfig()
    config.on_request_chunk_sent.append(_before_the_body)
    config.freeze()
    session.trace_configs.append(config)


async def _before_the_body(*_: object) -> None:
    look = _LOOK.get()
    # Once the first piece has left there is no way back.
    if look is not None and not look.asked:
        look.asked, look.why = True, look.question()
        if look.why:
            raise _Refused
