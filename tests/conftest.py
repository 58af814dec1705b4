"""Pins what the environment may change: width, colour, and where the shared recordings are."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ["TERMINAL_WIDTH"] = "100"
os.environ["COLUMNS"] = "100"
os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
for _name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "CLICOLOR_FORCE"):
    os.environ.pop(_name, None)

# Its plugin imports it only when a session ends, amid a simulation's garbage. A coroutine dropped unawaited is reported
# with a traceback, which parses; inside the rewriter's own parse that ends the session on Python 3.11: "AST constructor
# recursion depth mismatch".
import hypothesis  # noqa: E402, F401
import pytest  # noqa: E402
from gridops.adapters import redaction  # noqa: E402

_FIRST = (("simulation", "tests/venue/"), ("wire", "tests/wire/"))
"""The venue's own proofs, on which every other simulation rests; the real processes before parts of them."""
_DEADLINE = float(os.environ.get("SUITE_DEADLINE", "inf"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A suite stops at its budget: what it did not come to is skipped, counted and said."""
    if time.time() > _DEADLINE:
        pytest.skip("the suite's time was over")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a suite must not lose when its time is over comes first; the order is kept otherwise."""
    items.sort(key=lambda item: not any(item.get_closest_marker(name) and part in item.nodeid for name, part in _FIRST))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Finalizers run here, and not inside whatever the report parses."""
    gc.collect()


@pytest.fixture(autouse=True)
def _secrets_of_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process prints is free of every secret it has met; here many processes' worth of tests share one."""
    monkeypatch.setattr(redaction, "_EVERY", {})
    monkeypatch.setattr(redaction, "_ALL", redaction.Secrets())
    monkeypatch.setattr(redaction, "_ALL_SEEN", set())


@pytest.fixture
def drawn(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`drawn(what, first, count)`: say which seeds were drawn anew. The suite's last lines count and name them."""

    def drawn(what: str, first: int, count: int = 1) -> None:
        request.node.user_properties.append(("fresh seeds", f"{what} {first} {count}"))

    return drawn


_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings and payloads; tests that need it skip where it is absent."""
    if not _SHARED.is_dir():
        pytest.skip("the shared recordings are not beside this checkout")
    return _SHARED
