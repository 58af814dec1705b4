"""The oracle: read-only truth for judges, outside /fapi, never counted against a client's limits.

Sits on the HTTP server beside REST. It shows what the core and the request journal hold, and nothing secret.
"""

import os
from typing import Any

import orjson
from aiohttp import web

from gridops.venue.server.floor import Floor

_PAGE = 10_000


class OracleFace:
    """GET /oracle/truth, /oracle/requests, /oracle/summary."""

    def __init__(self, floor: Floor, about: dict[str, Any]) -> None:
        self._floor = floor
        self._about = about

    async def handle(self, http: web.BaseRequest, path: str) -> web.StreamResponse:
        """One read; the truth is of the present moment, market and deadlines applied."""
        floor = self._floor
        floor.touch()
        if http.method != "GET":
            return as_json({"error": "the oracle only answers GET"}, 405)
        match path:
            case "/oracle/truth":
                floor.settle()
                return as_json(floor.core.truth())
            case "/oracle/requests":
                return self._requests(http)
            case "/oracle/summary":
                return as_json(self.summary())
            case _:
                return as_json({"error": "unknown oracle path"}, 404)

    def summary(self) -> dict[str, Any]:
        """Counters and clocks."""
        floor = self._floor
        feed, journal = floor.feed, floor.journal
        return {
            **self._about,
            "pid": os.getpid(),
            "start_ms": floor.started_ms,
            "now_ms": floor.clock.now_ms(),
            "market_ms": feed.market_ms,
            "market_ended": feed.ended,
            "market_events": feed.applied,
            "market_paused": feed.paused_at_ms is not None,
            "requests": journal.last_seq,
            "unknown_paths": sum(journal.unknown_paths.values()),
            "unknown_path_list": dict(journal.unknown_paths),
            "routes": dict(journal.routes),
            "codes": dict(journal.codes),
            "internal_errors": journal.internal_errors[-20:],
            "sockets": {kind: len(floor.hub.connections(kind)) for kind in ("market", "user", "ws_api")},
            "sockets_opened": list(journal.sockets),
            "muted": sorted(floor.hub.muted),
            "stream_messages": floor.hub.sent,
            "faults": floor.faults.describe(),
        }

    def _requests(self, http: web.BaseRequest) -> web.Response:
        since, limit = http.query.get("since", "0"), http.query.get("limit", str(_PAGE))
        if not (since.isdecimal() and limit.isdecimal()):
            return as_json({"error": "since and limit are whole numbers"}, 400)
        journal = self._floor.journal
        rows = journal.since(int(since), min(int(limit), _PAGE))
        return as_json({"last_seq": journal.last_seq, "requests": rows})


def as_json(body: Any, status: int = 200) -> web.Response:
    """A JSON reply; Decimals and other values become text."""
    data = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(status=status, body=data, content_type="application/json")
