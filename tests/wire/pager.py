"""A real Prometheus and a real Alertmanager on loopback ports, and the receiver a page arrives at.

The rules are the committed ones; only their evaluation interval is a second, as the scrape's is. Everything lives in
one folder and ends with the context.
"""

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.tools import tool

RULES = Path(__file__).resolve().parents[2] / "runbooks" / "alerts.yml"
_START_S = 20.0


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Receiver:
    """Keeps every alert that is posted to it."""

    def __init__(self) -> None:
        self.alerts: list[tuple[float, dict[str, Any]]] = []
        kept = self.alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kept.extend((time.monotonic(), each) for each in body["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def named(self, name: str, status: str = "firing") -> dict[str, Any] | None:
        """The first alert of this name and status that came in."""
        for _, alert in self.alerts:
            if alert["labels"]["alertname"] == name and alert["status"] == status:
                return alert
        return None


class Pager:
    """`targets`: scrape job -> (port, path). `scrape_s` is the interval, and how long one scrape may take.

    A scrape that fails begins the `for` of every alert on it anew: who waits for minutes asks more patiently.
    """

    def __init__(self, folder: Path, targets: Mapping[str, tuple[int, str]], scrape_s: int = 1) -> None:
        programs = tool("prometheus"), tool("prometheus-alertmanager")
        folder.mkdir()
        self.receiver = Receiver()
        self.port, manager = free_port(), free_port()
        (folder / "rules.yml").write_text(re.sub(r"interval: \d+s", "interval: 1s", RULES.read_text("utf-8")), "utf-8")
        (folder / "alertmanager.yml").write_text(_manager(self.receiver.port), "utf-8")
        (folder / "prometheus.yml").write_text(_prometheus(manager, targets, scrape_s), "utf-8")
        self._logs = [(folder / f"{name}.log").open("wb") for name in ("prometheus", "alertmanager")]
        self._processes = [
            subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            for command, log in zip(
                (
                    [programs[1], "--config.file=alertmanager.yml", "--storage.path=alerts",
                     "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{manager}"],
                    [programs[0], "--config.file=prometheus.yml", "--storage.tsdb.path=series",
                     f"--web.listen-address=127.0.0.1:{self.port}"],
                ),
                self._logs, strict=True,
            )
        ]  # fmt: skip
        try:
            for port in (manager, self.port):
                self._ready(port)
        except AssertionError:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        for log in self._logs:
            log.close()
        self.receiver.close()

    def ask(self, path: str) -> Any:
        """`data` of an answer of Prometheus' own interface."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        return {each["labels"]["alertname"] for each in self.ask("alerts")["alerts"] if each["state"] == "firing"}

    def wait_scraped(self) -> None:
        """Until every target has answered twice."""
        until_s = time.monotonic() + _START_S
        while time.monotonic() < until_s:
            counts = self.ask("query?query=sum_over_time(up%5B1m%5D)")["result"]
            if counts and all(float(each["value"][1]) >= 2 for each in counts):
                return
            time.sleep(0.2)
        raise AssertionError("nothing was scraped")

    def wait_page(self, names: set[str], within_s: float) -> dict[str, float]:
        """Seconds after this call at which each alert was received."""
        began_s = time.monotonic()
        while missing := {name for name in names if self.receiver.named(name) is None}:
            assert time.monotonic() - began_s < within_s, f"no page of {missing}; firing {self.firing()}"
            time.sleep(0.1)
        first: dict[str, float] = {}
        for at_s, alert in self.receiver.alerts:
            first.setdefault(alert["labels"]["alertname"], round(max(0.0, at_s - began_s), 1))
        return {name: first[name] for name in sorted(names)}

    @staticmethod
    def _ready(port: int) -> None:
        until_s = time.monotonic() + _START_S
        while time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                    return
            time.sleep(0.1)
        raise AssertionError(f"nothing is ready on port {port} within {_START_S} s")


def _manager(port: int) -> str:
    return (
        "route: {receiver: pager, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
        "receivers:\n  - name: pager\n    webhook_configs:\n"
        f"      - {{url: 'http://127.0.0.1:{port}/', send_resolved: true}}\n"
    )


def _prometheus(manager: int, targets: Mapping[str, tuple[int, str]], scrape_s: int) -> str:
    lines = [
        f"global: {{scrape_interval: {scrape_s}s, scrape_timeout: {scrape_s * 900}ms, evaluation_interval: 1s}}",
        "rule_files: [rules.yml]",
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{manager}']}}]}}]}}",
        "scrape_configs:",
    ]
    for job, (port, path) in targets.items():
        lines.append(
            f"  - {{job_name: {job}, metrics_path: '{path}', static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}"
        )
    return "\n".join(lines) + "\n"
