"""The C library's allocator, set so that a process which lives for weeks keeps its size.

Beside the composition root, which calls it before the first thread starts. It changes no behaviour but where memory
comes from and when it goes back, and nothing at all where the library is not glibc.
"""

from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of `mallopt`, as glibc's malloc.h numbers them."""
LARGE_BYTES = 128 * 1_024
"""glibc's own threshold at its start; it would grow with each larger block that is freed."""


def give_back() -> None:
    """Return whole free pages inside the heap too: one long-lived block at its end would keep all below it."""
    import ctypes

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def one_arena() -> None:
    """Serve all threads from one arena, and large blocks from pages of their own, which are given back when freed.

    By default each thread gets an arena, and a freed bundle of evidence moves the threshold for large blocks up, so
    that the next ones cut holes into the heap: pages are scattered over arenas faster than they become free again.
    Threads hardly ever allocate at the same time, for the interpreter runs one of them. Arenas of threads that run
    already stay.
    """
    import ctypes  # a command that only asks the engine does not pay for it

    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, size in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, LARGE_BYTES), (_TRIM_THRESHOLD, LARGE_BYTES)):
            mallopt(parameter, size)
