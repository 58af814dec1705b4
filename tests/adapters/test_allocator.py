"""What glibc itself says of its arenas and large blocks after our settings, in a process of its own."""

import subprocess
import sys
from math import isnan
from pathlib import Path

import pytest
from gridops.adapters import allocator
from tests.pages import POPULATES, missing_kb

SMALL, MANY, LARGE = 800, 400, 600_000
MAPPED = 2
"""In the size field before a block: it has pages of its own (glibc's malloc.c, IS_MMAPPED)."""
CHILD = f"""
import ctypes, sys, threading
from gridops.adapters import allocator
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = (ctypes.c_void_p,)
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
libc.fclose.argtypes = (ctypes.c_void_p,)
if sys.argv[2] == "set":
    allocator.one_arena()
libc.free(libc.malloc({LARGE}))
held = libc.malloc({LARGE})
print(bool(ctypes.c_size_t.from_address(held - ctypes.sizeof(ctypes.c_size_t)).value & {MAPPED}))
def fill():
    for _ in range({MANY}):
        libc.malloc({SMALL})
    both.wait()
both = threading.Barrier(3)
threads = [threading.Thread(target=fill) for _ in range(3)]
[each.start() for each in threads]
[each.join() for each in threads]
out = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, out)
libc.fclose(out)
"""


def told(tmp_path: Path, how: str) -> tuple[int, bool]:
    """Arenas, and whether a large block has pages of its own once another one was freed."""
    child = [sys.executable, "-c", CHILD, str(tmp_path / how), how]
    said = subprocess.run(child, check=True, timeout=30, capture_output=True, text=True).stdout
    return (tmp_path / how).read_text().count("<heap nr="), said.strip() == "True"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_threads_share_an_arena_and_large_blocks_stay_out_of_it(tmp_path: Path) -> None:
    assert told(tmp_path, "set") == (1, True)


STORM = """
import sys
from pathlib import Path
from gridops.adapters import allocator

def resident():
    told = Path("/proc/self/status").read_text()
    return int(told.split("VmRSS:")[1].split()[0])

def storm():
    '''Blocks of both heaps, 3 MB altogether.'''
    return [bytes(size) for size in range(40, 480)] + [b"x" * size for size in range(512, 2_500)]

allocator.one_arena()
kept = allocator.reserve() if sys.argv[1] == "reserve" else None
storm()
before = resident()
held = [bytes(400) for _ in range(3_000)], storm()
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
@pytest.mark.parametrize(("how", "grows"), [("reserve", False), ("none", True)])
def test_a_storm_takes_nothing_from_the_system_once_there_is_a_reserve(how: str, grows: bool) -> None:
    child = [sys.executable, "-c", STORM, how]
    said = subprocess.run(child, check=True, timeout=30, capture_output=True, text=True).stdout
    assert (int(said) > 1_000) == grows, said


PREPARED = """
import mmap, threading
from gridops.adapters import allocator

allocator.one_arena()
threading.Thread(target=threading.Event().wait, daemon=True).start()
set_aside = mmap.mmap(-1, 256 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
kept = allocator.reserve()
print("prepared", flush=True)
input()
"""
STACK_KB, SET_ASIDE_KB = 8_192, 256 << 10


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
@pytest.mark.skipif(not POPULATES, reason="the kernel knows no MADV_POPULATE_WRITE")
def test_the_pages_of_a_process_with_a_reserve_are_all_there() -> None:
    """Those of a half-used arena too; of a thread's stack its beginning, and none that a library set aside."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", PREPARED], stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdout is not None and child.stdout.readline() == "prepared\n"
        missing = missing_kb(child.pid)
        child.communicate("\n", timeout=30)
    *ranges, stack, set_aside = sorted(lacks for _, lacks in missing)
    assert sum(ranges) < 100, ranges
    assert STACK_KB - 128 < stack <= STACK_KB - 64, "no more of a stack than a thread will use"
    assert set_aside >= SET_ASIDE_KB, "the kernel may show a neighbour with it"


FREED_ELSEWHERE = """
import ctypes, os, queue, sys, threading
from itertools import count
from pathlib import Path
from gridops.adapters import allocator

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = (ctypes.c_void_p,)
blocks, freed = [], threading.Event()

def free(*_):
    for block in blocks:
        libc.free(block)
    freed.set()

def nobody():
    calls = queue.Queue()
    threading.Thread(target=lambda: [free() for _ in iter(calls.get, None)], daemon=True).start()
    return lambda: calls.put("free")

def journal():
    from gridops.adapters.journal_sqlite import open_journal
    from gridops.runtime.ports_journal import JournalRow
    journal = open_journal(Path(sys.argv[2]) / "journal.db", account="paper", clock_ms=lambda: 0)
    journal.on_commit(free)
    seqs = count()
    return lambda: journal.append(JournalRow(next(seqs), 0, "Woke", b"[]", False))

def evidence():
    from gridops.adapters.evidence_queue import EvidenceQueue
    class Writer:
        write = free
    queue = EvidenceQueue(Writer())
    return lambda: queue.put("a bundle")

def log():
    from gridops.adapters.log_json import JsonLog
    class Pipe:
        def fileno(self):
            free()
            return sys.__stderr__.fileno()
    log = JsonLog(Path(sys.argv[2]), stderr=True)
    sys.stderr = Pipe()
    return lambda: log.write({}, important=True)

def worker():
    import asyncio
    from gridops.adapters import workers
    loop, all_there = asyncio.new_event_loop(), threading.Barrier(workers.WORKERS)
    async def start():
        workers.start()
        await asyncio.gather(*(asyncio.to_thread(all_there.wait) for _ in range(workers.WORKERS)))
    loop.run_until_complete(start())
    return lambda: loop.run_until_complete(loop.run_in_executor(None, free))

allocator.one_arena()
go = globals()[sys.argv[1]]()
kept = allocator.reserve()
go()
assert freed.wait(20)  # what a thread does at its start is done
freed.clear()
before = allocator.held()[1]
blocks += [libc.malloc(size) for size in range(24, 1_033, 16) for _ in range(7)]
allocator.fill_thread_cache()  # they came from the cache of this thread
go()
assert freed.wait(20)
print(allocator.held()[1] - before, flush=True)
os._exit(0)
"""
"""What is held once a thread has freed blocks that another one allocated."""


@pytest.mark.skipif(isnan(allocator.held()[1]), reason="a C library that does not tell")
@pytest.mark.parametrize("thread", ["nobody", "journal", "evidence", "log", "worker"])
def test_our_threads_set_nothing_more_aside_than_at_their_start(thread: str, tmp_path: Path) -> None:
    child = [sys.executable, "-c", FREED_ELSEWHERE, thread, str(tmp_path)]
    said = subprocess.run(child, check=True, timeout=60, capture_output=True, text=True).stdout
    assert (float(said) > 150_000) == (thread == "nobody"), said


def test_what_is_held_rises_with_what_is_kept_and_falls_with_it() -> None:
    """The reserve hides nothing from it."""
    before = allocator.held()
    small, middling = [bytes(400) for _ in range(5_000)], [bytes(4_000) for _ in range(1_000)]
    kept = allocator.held()
    assert kept[0] - before[0] > 4_900
    assert kept[1] - before[1] > 3_900_000 or isnan(kept[1])
    del small, middling
    assert abs(allocator.held()[0] - before[0]) < 200
