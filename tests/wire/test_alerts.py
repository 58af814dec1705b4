"""A fault in a running engine becomes a page: by a real Prometheus and a real Alertmanager, with its runbook.

By day one engine is hurt in several ways at once. Each night the slower ones follow, and every alert that wakes
somebody is fired from a scrape that says what its proof says.
"""

import json
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from gridops.adapters.home import Home
from gridops.usecases import runbook
from tests.docs.test_alerts import ALERTS, check_query, script
from tests.docs.test_dashboards import queries
from tests.wire.harness import ACCOUNT, Bench, Engine
from tests.wire.pager import Pager, free_port

pytestmark = [pytest.mark.wire, pytest.mark.timeout(420)]
BY_NAME = {alert["name"]: alert for alert in ALERTS}
HIDDEN = ("GridopsDown",)


def has_runbook(pager: Pager, name: str, folder: Path) -> None:
    """The page that came names a section that is there, and says what the rule says."""
    page = pager.receiver.named(name)
    assert page is not None
    assert page["labels"]["severity"] == BY_NAME[name]["severity"]
    assert page["annotations"] == script.annotations(BY_NAME[name])
    told = re.fullmatch(r"gridops runbook (\S+) --execute", page["annotations"]["run"])
    assert told is not None and runbook.read(told[1], folder).text.startswith(f"## {name}")


def replaced_lease(bench: Bench) -> None:
    lease = Home(bench.home).lease(ACCOUNT)
    lease.rename(lease.with_suffix(".aside"))
    lease.write_text("another engine's")


def no_evidence(bench: Bench) -> None:
    shutil.rmtree(bench.home / "evidence", ignore_errors=True)
    (bench.home / "evidence").write_text("no folder")


def test_five_faults_of_a_running_engine_arrive_as_pages(tmp_path: Path) -> None:
    port = free_port()
    with (
        Bench(tmp_path, GRIDOPS_OPERATIONS__METRICS_PORT=str(port)) as bench,
        Pager(tmp_path / "pager", {"gridops": (port, "/metrics")}) as pager,
    ):
        engine = bench.start()
        pager.wait_scraped()
        assert pager.firing() == set(), "nothing fires in normal operation"
        resolves(pager)
        bench.venue.fault("rest.ban", ms=120_000)
        took = pager.wait_page({"GridopsVenueRefusesUs"}, 20)
        bench.venue.fault("ws.silent", target="market")
        no_evidence(bench)
        assert engine.ask("kill", reason="drill")["accepted"]
        replaced_lease(bench)
        names = {"GridopsEmergency", "GridopsEvidenceFailing", "GridopsFeedStale", "GridopsLeaseLost"}
        took |= pager.wait_page(names, 40)
        print(f"pages after the faults, s: {took}")
        for name in took:
            has_runbook(pager, name, tmp_path)


def resolves(pager: Pager) -> None:
    """Every query of the dashboards is answered by what a running engine shows."""
    for query in queries():
        check_query(query)
        text = query.replace("$__rate_interval", "1m").replace("$job", "gridops").replace("$symbol", "BTCUSDT")
        answer = pager.ask(f"query?query={quote(text, safe='')}")
        assert answer["result"], f"nothing in a real scrape for {text}"


def _crash(_: Bench, engine: Engine) -> None:
    engine.kill()


def _stopped(_: Bench, engine: Engine) -> None:
    engine.send(signal.SIGSTOP)


def _muted(bench: Bench, _: Engine) -> None:
    bench.venue.fault("ws.silent", target="market")


def _refusals(bench: Bench, _: Engine) -> None:
    for path in ("/fapi/v1/order", "/fapi/v1/batchOrders", "/fapi/v1/openOrders", "/fapi/v1/positionSide/dual"):
        bench.venue.fault("venue.reject", selector={"path": path}, code=-2015, status=401)


NIGHTLY: dict[str, tuple[Callable[[Bench, Engine], None], set[str]]] = {
    "crash": (_crash, {"GridopsDown"}),
    "stopped": (_stopped, {"GridopsDown"}),
    "muted": (_muted, {"GridopsFeedStale"}),
    "refusals": (_refusals, {"GridopsVenueRefusesUs"}),
}


@pytest.mark.nightly
@pytest.mark.parametrize("name", NIGHTLY)
def test_a_fault_becomes_a_page(tmp_path: Path, name: str) -> None:
    hurt, wanted = NIGHTLY[name]
    with Bench(tmp_path, speed="3") as bench:
        engine = bench.start()
        port = engine.snapshot()["metrics_port"]
        engine.wait(lambda: bench.position_lots() != 0, 60.0, "a position")
        with Pager(tmp_path / "pager", {"gridops": (port, "/metrics")}) as pager:
            pager.wait_scraped()
            hurt(bench, engine)
            print(f"{name}: pages after, s: {pager.wait_page(wanted, 200)}")
            for each in wanted:
                has_runbook(pager, each, tmp_path)


@contextmanager
def exposed() -> Iterator[int]:
    """A scrape target per alert: what its proof calls normal for ten seconds, and then what fires. Its port."""
    began_s, counts = time.monotonic(), dict[str, float]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            alert = BY_NAME[self.path.strip("/")]
            phase = "fires" if time.monotonic() - began_s > 10 else "normal"
            body = "".join(_line(alert, each, phase, counts) for each in alert["series"]).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _line(alert: dict[str, Any], series: dict[str, Any], phase: str, counts: dict[str, float]) -> str:
    labels = ", ".join(f"{name}={json.dumps(text)}" for name, text in series.get("labels", {}).items())
    told, value = f"{series['name']}{{{labels}}}", series[phase]
    if series["name"].endswith(("_total", "_bucket")):
        key = f"{alert['name']} {told}"
        counts[key] = counts.get(key, 0.0) + float(value)
        value = counts[key]
    elif series["name"].endswith("_timestamp_seconds"):
        value = time.time() - float(value)
    return f"{told} {value}\n"


@pytest.mark.nightly
def test_every_alert_that_wakes_somebody_reaches_them(tmp_path: Path) -> None:
    """The critical ones and the pages, from a scrape that shows what their proofs show."""
    loud = {name for name, alert in BY_NAME.items() if alert["severity"] != "warn" and name not in HIDDEN}
    with exposed() as port, Pager(tmp_path / "pager", {name: (port, f"/{name}") for name in sorted(loud)}, 5) as pager:
        took = pager.wait_page(loud, 240)
        print(f"{len(took)} pages, s: {took}")
        for name in sorted(loud):
            has_runbook(pager, name, tmp_path)
