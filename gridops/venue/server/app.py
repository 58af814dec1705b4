"""Puts the faces of the venue on one loopback port and serves until told to stop.

Sits on top of the wire layer; the process above gives it a floor. It binds 127.0.0.1 only, which is not configurable.
"""

import asyncio
import logging
import ssl
from contextlib import suppress

from aiohttp import web

from gridops.venue.server import pump
from gridops.venue.server.control import ControlFace
from gridops.venue.server.faults import Facts
from gridops.venue.server.floor import Floor
from gridops.venue.server.gateway import Gateway
from gridops.venue.server.http import http_server
from gridops.venue.server.oracle import OracleFace, as_json
from gridops.venue.server.rest import RestFace
from gridops.venue.server.streams import StreamFace, is_stream_path
from gridops.venue.server.ws_api import PATH as WS_API_PATH
from gridops.venue.server.ws_api import WsApiFace

HOST = "127.0.0.1"


class VenueServer:
    """The running server: `start`, then `run` until the floor is stopping, then `close`."""

    def __init__(self, floor: Floor, oracle: OracleFace, control: ControlFace) -> None:
        self._floor = floor
        self._oracle = oracle
        self._control = control
        gateway = Gateway(floor)
        self._rest = RestFace(gateway)
        self._streams = StreamFace(floor)
        self._ws_api = WsApiFace(floor, gateway)
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def start(self, port: int, *, tls: ssl.SSLContext | None = None) -> int:
        """Bind (0 takes a free port) and return the port; `tls` serves https and wss instead of the plain forms."""
        logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
        self._runner = web.ServerRunner(http_server(self._dispatch), handle_signals=False, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port, backlog=512, ssl_context=tls)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self.port

    async def run(self, idle_exit_s: float) -> None:
        """Serve until the floor is stopping; a failure of the pump ends the venue aloud."""
        floor = self._floor
        tasks = [
            asyncio.create_task(pump.run_market(floor)),
            asyncio.create_task(pump.run_seconds(floor)),
            asyncio.create_task(pump.run_idle(floor, idle_exit_s)),
            asyncio.create_task(floor.stopping.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            floor.stopping.set()
            for task in tasks:
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Close every socket and free the port."""
        for connection in self._floor.hub.connections():
            connection.close(1001)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _dispatch(self, http: web.BaseRequest) -> web.StreamResponse:
        raw_path, _, raw_query = http.raw_path.partition("?")
        path = raw_path.encode("ascii", "backslashreplace").decode()
        if is_stream_path(path) or path == WS_API_PATH:
            return await self._socket(http, path)
        if path.startswith("/oracle/"):
            return await self._oracle.handle(http, path)
        if path.startswith("/control/"):
            return await self._control.handle(http, path)
        return await self._rest.handle(http, path, raw_query)

    async def _socket(self, http: web.BaseRequest, path: str) -> web.StreamResponse:
        if http.headers.get("Upgrade", "").lower() != "websocket":
            return as_json({"code": -1000, "msg": "This path serves websockets only."}, 400)
        if self._floor.faults_for(Facts("connect", "GET", path)):
            return as_json({"code": -1016, "msg": "This service is no longer available."}, 503)
        try:
            return await (self._ws_api.handle(http) if path == WS_API_PATH else self._streams.handle(http, path))
        except web.HTTPException as error:
            return as_json({"code": -1000, "msg": error.reason}, error.status)
