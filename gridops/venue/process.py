"""The venue as a process: opens store and market, serves, saves, and leaves nothing behind when it ends in order.

Sits on top of the emulator; started by `spawn`, by `gridops venue`, or as `python -m gridops.venue.process`. Its
standard output is one JSON line that says where it listens, then silence. The market starts at its beginning with
every start; the account goes on where the store left it.
"""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from typing import Any

from gridops.errors import ConfigError, ExitCode, GridopsError, VenueUnavailable
from gridops.venue.handle import VenueHandle, attach, spawn
from gridops.venue.options import VenueOptions, checked, parse
from gridops.venue.store import VenueStore, WriteBehind

__all__ = ["VenueHandle", "VenueOptions", "attach", "main", "serve", "spawn"]


def serve(options: VenueOptions) -> int:
    """Run a venue until it is stopped or idle; returns the exit code. Failures end as one `error:` line."""
    try:
        return asyncio.run(_serve(checked(options)))
    except GridopsError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr, flush=True)
        return int(error.exit_code)


def main(words: Sequence[str] | None = None) -> int:
    """Entry of `python -m gridops.venue.process`."""
    try:
        options = parse(sys.argv[1:] if words is None else words)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return serve(options)


async def _serve(options: VenueOptions) -> int:
    store = VenueStore(options.store)
    store.open()
    try:
        return await _serve_on(store, options)
    finally:
        store.close()


async def _serve_on(store: VenueStore, options: VenueOptions) -> int:
    from gridops.venue.assembly import build
    from gridops.venue.server.app import VenueServer
    from gridops.venue.server.control import ControlFace
    from gridops.venue.server.oracle import OracleFace

    venue = build(store, options)
    floor = venue.floor
    writer = WriteBehind(store, venue.dump)
    floor.on_dirty = writer.mark
    token = secrets.token_hex(16)
    about = {"account": venue.account, "store": str(options.store.resolve()), "market": options.market}
    server = VenueServer(
        floor,
        OracleFace(floor, {**about, "market_source": venue.market}),
        ControlFace(floor, token, save=writer.save_now),
    )
    try:
        port = await server.start(options.port)
    except OSError as error:
        raise VenueUnavailable(f"port {options.port} cannot be had: {error.strerror}") from error
    writer.save_now()
    _stop_on_signals(floor.stopping)
    note = _note(port, venue.credentials, about, token, venue.symbols)
    store.write_note(note)
    saving = asyncio.create_task(writer.run())
    try:
        _announce(note)
        await server.run(options.idle_exit_s)
    finally:
        saving.cancel()
        await server.close()
        writer.save_now()
        store.remove_note()
    return int(ExitCode.OK)


def _note(port: int, credentials: Any, about: dict[str, str], token: str, symbols: Sequence[str]) -> dict[str, Any]:
    """What a client needs to connect."""
    address = f"127.0.0.1:{port}"
    return {
        "rest": f"http://{address}", "ws": f"ws://{address}", "ws_api": f"ws://{address}/ws-fapi/v1",
        "oracle": f"http://{address}/oracle", "control": f"http://{address}/control", "control_token": token,
        "api_key": credentials.api_key, "api_secret": credentials.api_secret, "pid": os.getpid(),
        "symbols": list(symbols), **about,
    }  # fmt: skip


def _announce(note: dict[str, Any]) -> None:
    """One line, then silence: later prints by whatever library go nowhere."""
    print(json.dumps(note, sort_keys=True), flush=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _stop_on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


if __name__ == "__main__":
    sys.exit(main())
