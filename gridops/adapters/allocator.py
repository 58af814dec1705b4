"""The process's memory, set so that a run which lives for weeks keeps the size it starts with.

Beside the composition root, which calls `one_arena` before the first thread starts and `settle` once everything is
loaded. It changes no behaviour but where memory comes from and when it goes back; what concerns the C library does
nothing at all where that is not glibc.
"""

import gc
import math
import sys
from contextlib import suppress
from functools import cache
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of `mallopt`, as glibc's malloc.h numbers them."""
LARGE_BYTES = 128 * 1_024
"""glibc's own threshold at its start; it would grow with each larger block that is freed."""
RESERVE_BYTES, RESERVE_SMALL_BYTES = 6 << 20, 2 << 20
"""Of the C library's heap and of Python's own.

The journal's page cache, the newest rows and the caches take 2.6 MB of the first within minutes; a storm of refused
requests takes 0.3 to 0.6 MB for a second or two, and scatters what stays over as much again.
"""
_CACHED, _CACHED_BYTES = 7, 1_032
"""Freed blocks of a size, and the largest size, that glibc sets aside for the thread that freed them."""
KEPT_BYTES = 16 << 20
"""Free memory of the heap that is kept; more goes back."""
_POPULATE_WRITE = 23
"""The advice of `madvise` that takes pages as a write to them would, and changes nothing in them: Linux 5.14 on."""
_STACK_BYTES = 64 << 10
"""Of each thread's 8 MB of stack: five times what any of ours was seen to take."""
_RANGE_BYTES = 64 << 20
"""A larger range is one that a library keeps for later: to take it whole would cost more than it will ever use."""
_CLASSES = range(16, 513, 16)
"""Sizes of the blocks of Python's own heap: each is served from pools of its own, which are written to bit by bit."""


def one_arena() -> None:
    """Serve all threads from one arena, and large blocks from pages of their own, which are given back when freed.

    By default each thread gets an arena, and a freed bundle of evidence moves the threshold for large blocks up, so
    that the next ones cut holes into the heap: pages are scattered over arenas faster than they become free again.
    Threads hardly ever allocate at the same time, for the interpreter runs one of them. Arenas of threads that run
    already stay.
    """
    wanted = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, LARGE_BYTES), (_TRIM_THRESHOLD, KEPT_BYTES))
    library = _glibc()
    for parameter, size in wanted if library else ():
        library.mallopt(parameter, size)


def reserve() -> list[object]:
    """Take from the system now what a storm will need, and keep it at hand: pages that were written to, then freed.

    A process keeps the pages of the most it ever held, so that storms, each a little larger than the ones before, would
    make it grow for hours although what it holds stays level. With the reserve it has that size from the start, and no
    storm waits for a page. The list has to live as long as the process.
    """
    each = RESERVE_SMALL_BYTES // len(_CLASSES)
    small = [[_of_size(size, n) for n in range(each // size)] for size in _CLASSES]
    if library := _glibc():
        import ctypes

        size = LARGE_BYTES // 2
        blocks = [library.malloc(size) for _ in range(RESERVE_BYTES // size)]
        for block in filter(None, blocks):
            ctypes.memset(block, 1, size)
        for block in blocks:
            library.free(block)
        fill_thread_cache()
        for start, length in _writable():
            library.madvise(start, length, _POPULATE_WRITE)
    # Something in every arena stays: one in which nothing is in use goes back to the system.
    return [blocks[-1] for blocks in small]


def fill_thread_cache() -> None:
    """Have the calling thread's cache of freed blocks full: glibc counts what lies there as in use.

    A thread that frees what others allocated fills it little by little, in the hours when a rare size comes by.
    """
    if library := _glibc():
        sizes = range(24, _CACHED_BYTES + 1, 16)
        for block in [library.malloc(size) for size in sizes for _ in range(_CACHED)]:
            library.free(block)


def _writable() -> list[tuple[int, int]]:
    """Start and bytes of each range that the process alone writes to; of a thread's stack, what it starts with."""
    ranges, guard_end = [], 0
    with suppress(OSError), open("/proc/self/maps") as maps:
        for line in maps:
            span, permissions, *_ = line.split()
            start, end = (int(address, 16) for address in span.split("-"))
            if permissions == "rw-p":
                start = max(start, end - _STACK_BYTES) if start == guard_end else start
                ranges += [(start, end - start)] if end - start <= _RANGE_BYTES else []
            guard_end = end if permissions == "---p" else 0
    return ranges


def _of_size(block_bytes: int, number: int) -> object:
    """An object that takes one block of that size."""
    if block_bytes < 48:
        return object() if block_bytes == 16 else float(number)
    return bytes(block_bytes - sys.getsizeof(b""))


def settle() -> list[object]:
    """Once all is loaded: the collector need not walk it again at every ladder move. What it returns has to live on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return reserve()


def give_back() -> None:
    """Return whole free pages of the C library's heap, those inside it too, once there are far more than a reserve."""
    library, told = _glibc(), _told()
    if library and (told is None or told.free > KEPT_BYTES):
        library.malloc_trim(RESERVE_BYTES)


def held() -> tuple[float, float]:
    """What is in use, whatever the system was asked for: blocks of Python's own heap, bytes of the C library's.

    The figures in which a leak shows from its first hour on. NaN for a library that does not tell.
    """
    told = _told()
    return sys.getallocatedblocks(), math.nan if told is None else told.used + told.mapped


def _told() -> Any:
    """What glibc says of its heap, from 2.33 on; None of an older one and of another library."""
    with suppress(AttributeError):
        return _glibc().mallinfo2()
    return None


@cache
def _glibc() -> Any:
    """glibc, or None. A command that only asks the engine does not load ctypes."""
    with suppress(AttributeError, ImportError, OSError):
        import ctypes

        words = "arena ordblks smblks hblks mapped usmblks fsmblks used free keepcost"
        told = type("Mallinfo2", (ctypes.Structure,), {"_fields_": [(word, ctypes.c_size_t) for word in words.split()]})
        library = ctypes.CDLL(None)
        library.mallopt, library.malloc_trim  # noqa: B018  missing: another C library
        library.malloc.restype = ctypes.c_void_p
        library.malloc.argtypes = (ctypes.c_size_t,)
        library.free.argtypes = (ctypes.c_void_p,)
        library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        with suppress(AttributeError):
            library.mallinfo2.restype = told
        return library
    return None
