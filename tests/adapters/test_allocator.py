"""What glibc itself says of its arenas and large blocks after our settings, in a process of its own."""

import subprocess
import sys
from math import isnan
from pathlib import Path

import pytest
from gridops.adapters import allocator

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


def test_what_is_held_rises_with_what_is_kept_and_falls_with_it() -> None:
    """The reserve hides nothing from it."""
    before = allocator.held()
    small, middling = [bytes(400) for _ in range(5_000)], [bytes(4_000) for _ in range(1_000)]
    kept = allocator.held()
    assert kept[0] - before[0] > 4_900
    assert kept[1] - before[1] > 3_900_000 or isnan(kept[1])
    del small, middling
    assert abs(allocator.held()[0] - before[0]) < 200
