"""Many seeds on several cores: one process per core, each seed by itself, results as they come.

Below the runs that count something. With one job everything happens in this process, which a debugger can follow.
"""

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TypeVar

_Told = TypeVar("_Told")
_NEW_OBJECTS = 70_000
"""Before the collector looks at the youngest ones; Python's own figure is 700."""


def each(work: Callable[[int], _Told], seeds: Iterable[int], *, jobs: int = 1) -> Iterator[tuple[_Told, int]]:
    """What `work` says of each seed, and the CPU it took in ns. In order with one job, as they finish with several.

    `seeds` may be endless: stop reading to stop the rest. For more than one job `work` must be picklable.
    """
    timed = partial(_timed, work)
    if jobs <= 1:
        with few_collections():
            yield from map(timed, seeds)
        return
    # A fresh interpreter per process: what the parent has loaded or opened must not decide what a seed does.
    spawned = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(jobs, mp_context=spawned, initializer=_collect_seldom)
    with executor:
        waiting = iter(seeds)
        under_way: set[Future[tuple[_Told, int]]] = {executor.submit(timed, seed) for seed in islice(waiting, jobs)}
        try:
            while under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                under_way |= {executor.submit(timed, seed) for seed in islice(waiting, len(done))}
                for future in done:
                    yield future.result()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def few_collections() -> Iterator[None]:
    """Meanwhile the collector leaves alone what is loaded, and looks for cycles a hundred times less often.

    A seed makes many values and next to no cycles; what it leaves behind is freed with the last reference.
    """
    thresholds = gc.get_threshold()
    _collect_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _collect_seldom() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)


def _timed(work: Callable[[int], _Told], seed: int) -> tuple[_Told, int]:
    began_ns = time.process_time_ns()
    told = work(seed)
    return told, time.process_time_ns() - began_ns
