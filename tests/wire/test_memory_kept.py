"""A running engine keeps to one malloc arena, has its reserve and collects often, as the allocator's notes ask."""

import os
import re
from pathlib import Path

import pytest
from gridops.adapters.allocator import RESERVE_BYTES
from gridops.adapters.workers import WORKERS
from gridops.usecases.run import BUNDLES_TOLD
from gridops.usecases.run_watchers import COLLECT_S
from tests.pages import POPULATES, missing_kb
from tests.wire.harness import Bench

STACK_KB = 8_192
SAID = """
import ctypes, gc, os, sys

def told(phase, about, to=os.environ.get("MEMORY_SAID", "")):
    if phase == "stop" and about["generation"] == 2 and to and "run" in sys.argv:
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
        libc.fclose.argtypes = (ctypes.c_void_p,)
        out = libc.fopen(to.encode(), b"a")
        libc.malloc_info(0, out)
        libc.fclose(out)

gc.callbacks.append(told)
"""
"""Each full collection of the engine appends what glibc says of its arenas."""


@pytest.mark.wire
@pytest.mark.nightly
def test_a_run_collects_often_from_one_arena_with_a_reserve(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SAID)
    said = tmp_path / "said.xml"
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH", ""))))
    with Bench(tmp_path, PYTHONPATH=path, MEMORY_SAID=str(said)) as bench:
        engine = bench.start()
        said.write_text("")
        engine.wait(lambda: "</malloc>" in said.read_text(), COLLECT_S + 5.0, "a full collection")
        figures = engine.metrics()
    collections = said.read_text().split("</malloc>")[:-1]
    assert [each.count("<heap nr=") for each in collections] == [1] * len(collections)
    free = int(re.findall(r'<total type="rest" count="\d+" size="(\d+)"', collections[0])[-1])
    assert free > RESERVE_BYTES / 2, "the journal's first pages and the first rows have taken some of it"
    # What a soak's judge goes by: a figure that is not there would decide nothing.
    assert 100_000 < figures["gridops_memory_blocks"] < 1_000_000
    assert 5e6 < figures["gridops_memory_heap_bytes"] < 1e8


@pytest.mark.wire
@pytest.mark.nightly
@pytest.mark.skipif(not POPULATES, reason="the kernel knows no MADV_POPULATE_WRITE")
def test_a_run_has_its_threads_and_pages_from_the_start(tmp_path: Path) -> None:
    """A worker that starts in the second hour, or a page first used then, looks like a leak."""
    with Bench(tmp_path) as bench:
        engine = bench.start()
        engine.wait_state("ACTIVE", "THROTTLED")
        threads = len(os.listdir(f"/proc/{engine.process.pid}/task"))
        missing = [lacks for size, lacks in missing_kb(engine.process.pid) if size != STACK_KB]
    assert threads >= WORKERS + len(("main", "journal", "evidence", "log"))
    assert sum(missing) < 200, missing


@pytest.mark.wire
@pytest.mark.nightly
def test_a_summary_shows_the_newest_bundles_of_its_own_run(tmp_path: Path) -> None:
    """The index has them all; the run keeps none of them in its memory."""
    with Bench(tmp_path) as bench:
        engine = bench.start()
        for _ in range(BUNDLES_TOLD):
            assert engine.ask("pause", reason="a look")["accepted"]
            engine.wait_state("PAUSED")
            assert engine.ask("resume", reason="looked")["accepted"]
            engine.wait_state("ACTIVE", "THROTTLED")
        told = engine.stop()["evidence_bundles"]
        written = [*bench.home.glob("evidence/*/*/summary.txt")]
        again = bench.start().stop()["evidence_bundles"]
    assert len(written) > BUNDLES_TOLD == len(told)
    assert told[-1]["mode"] == again[-1]["mode"] == "run"
    assert not {each["evidence_dir"] for each in told} & {each["evidence_dir"] for each in again}
