"""REST on the wire: raw target, raw body and key header in; status, headers and JSON out.

Sits on the HTTP server and in front of the gateway. It keeps the bytes as the client sent them, because signatures
cover the raw text; it refuses bodies beyond the bound before reading them in.
"""

from aiohttp import web

from gridops.venue.server import auth, params
from gridops.venue.server.gateway import Gateway, Request
from gridops.venue.server.outcomes import Answer

MAX_BODY = 256 * 1024


class RestFace:
    """HTTP handler of every path that is neither stream, ws-api, oracle nor control."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def handle(self, http: web.BaseRequest, path: str, raw_query: str) -> web.StreamResponse:
        """One request, one reply; a fault may cut the connection instead."""
        try:
            body = await read_body(http)
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, body=b'{"code":-1101,"msg":"Too many parameters sent for this endpoint."}')
        request = Request(
            channel="rest",
            method=http.method,
            path=path,
            api_key=http.headers.get("X-MBX-APIKEY"),
            pairs=lambda: params.split_raw(raw_query, body),
            signed=lambda _given: (auth.rest_payload(raw_query, body),),
        )
        return _reply(http, await self._gateway.serve(request))


async def read_body(http: web.BaseRequest) -> str:
    """The raw body; bytes that are no UTF-8 survive as surrogates and are refused later."""
    if http.content_length is not None and http.content_length > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(max_size=MAX_BODY, actual_size=http.content_length)
    return (await http.read()).decode("utf-8", "surrogateescape")


def _reply(http: web.BaseRequest, answer: Answer | None) -> web.StreamResponse:
    if answer is None:
        if http.transport is not None:
            http.transport.abort()
        return web.Response(status=500)
    headers = {"Content-Type": f"{answer.content_type}; charset=utf-8", **answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)
