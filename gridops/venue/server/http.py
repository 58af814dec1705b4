"""The HTTP server under the faces: what is no HTTP request at all is refused in the venue's words, too.

Sits between aiohttp and the dispatcher. Without it a bad request line would be answered with the library's own text.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

_MAX_LINE = 32_768
_ILLEGAL = b'{"code":-1100,"msg":"Illegal characters found in a parameter."}'
_UNKNOWN = b'{"code":-1000,"msg":"An unknown error occured while processing the request."}'


class _Protocol(web.RequestHandler):
    """One client connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - the signature is aiohttp's
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer what the HTTP parser refused; the connection is closed, as its rest cannot be understood."""
        if request.writer.output_size > 0:
            raise ConnectionError("the reply had begun")
        body = _UNKNOWN if status >= 500 else _ILLEGAL
        reply = web.Response(status=status, body=body, content_type="application/json")
        reply.force_close()
        return reply


class HttpServer(web.Server):
    """aiohttp's low-level server with the venue's refusals."""

    def __call__(self) -> web.RequestHandler:
        """A protocol for a new connection."""
        return _Protocol(self, loop=self._loop, **self._kwargs)


def http_server(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> HttpServer:
    """A server without access log, for lines and headers as long as a batch in a query needs."""
    return HttpServer(handler, access_log=None, max_line_size=_MAX_LINE, max_field_size=_MAX_LINE)
