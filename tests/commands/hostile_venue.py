"""A venue that answers everything wrongly, and repeats to the caller whatever secret it was sent.

Speaks just enough HTTP to be asked by any command. Each way of failing has a name; none of them is polite.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, bytes]
Asked = dict[str, str]
"""`key`, `query`, `signature`, `path` of one request."""

STEERING = "\x1b]0;owned\x07\x1b[2J\u202e\u2066\x9b31m\r\n"


def _refusal(code: int, msg: str) -> bytes:
    return json.dumps({"code": code, "msg": msg}, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _echo(asked: Asked) -> str:
    return f"key {asked['key']} query {asked['query']} signature={asked['signature']} listenKey={'L' * 64}"


WAYS: dict[str, Callable[[Asked], Answer]] = {
    "401 with the key in it": lambda asked: (401, _refusal(-2015, f"Invalid API-key {asked['key']}")),
    "403 page": lambda asked: (403, f"<html>{_echo(asked)}</html>".encode()),
    "signature refused, query repeated": lambda asked: (400, _refusal(-1022, f"Signature: {_echo(asked)}")),
    "timestamp refused": lambda asked: (400, _refusal(-1021, f"Timestamp {_echo(asked)}")),
    "rate limited": lambda asked: (429, _refusal(-1003, f"Too many: {_echo(asked)}")),
    "banned": lambda asked: (418, _refusal(-1003, f"banned until 1893456000000 {_echo(asked)}")),
    "500 page": lambda asked: (500, f"<html>{_echo(asked)}</html>".encode()),
    "503 unknown": lambda asked: (503, _refusal(-1000, f"Unknown error {_echo(asked)}")),
    "malformed": lambda asked: (200, f'{{"signature": "{asked["signature"]}", "key": "{asked["key"]}'.encode()),
    "no object": lambda asked: (200, json.dumps([_echo(asked)]).encode()),
    "secret as a field's name": lambda asked: (200, json.dumps({asked["key"]: asked["signature"]}).encode()),
    "nested without end": lambda asked: (200, b"[" * 100_000 + asked["key"].encode()),
    "steering the terminal": lambda asked: (400, _refusal(-4000, f"{STEERING}{asked['key']}{STEERING}")),
    "no text at all": lambda asked: (200, b"\xff\xfe\x00" + asked["key"].encode()),
    "empty": lambda asked: (200, b""),
}


@contextlib.contextmanager
def hostile_venue(way: str) -> Iterator[tuple[str, list[Asked]]]:
    """Its URL, and what it was asked so far."""
    seen: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            query = urlsplit(self.path).query or self.rfile.read(length).decode("latin-1")
            asked = {
                "key": self.headers.get("X-MBX-APIKEY") or "none",
                "query": query,
                "signature": parse_qs(query).get("signature", ["none"])[0],
                "path": urlsplit(self.path).path,
            }
            seen.append(asked)
            status, body = WAYS[way](asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer

        def log_message(self, format: str, *words: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
