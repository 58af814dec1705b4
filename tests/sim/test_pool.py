"""Seeds on several processes: the same results, endless seeds allowed, and a line every ten."""

from itertools import count, islice

import pytest
from gridops.sim import pool
from gridops.sim.run import run_seeds

pytestmark = pytest.mark.simulation


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_seed_is_told_once_with_the_cpu_it_took(jobs: int) -> None:
    told = list(pool.each(abs, [-3, -1, -2], jobs=jobs))
    assert sorted(value for value, _ in told) == [1, 2, 3]
    assert all(took_ns >= 0 for _, took_ns in told)


@pytest.mark.parametrize("jobs", [1, 2])
def test_endless_seeds_end_when_nobody_reads_on(jobs: int) -> None:
    assert len(list(islice(pool.each(abs, count(), jobs=jobs), 5))) == 5


def test_what_fails_in_a_process_fails_here() -> None:
    with pytest.raises(ZeroDivisionError):
        list(pool.each((10).__floordiv__, [1, 0, 2], jobs=2))


def test_several_processes_count_what_one_counts() -> None:
    said: dict[int, list[str]] = {1: [], 2: []}
    progress: list[str] = []
    for jobs, lines in said.items():
        assert run_seeds(60, 10, hours=0.005, say=lines.append, jobs=jobs, progress=progress.append) == 0
    assert said[1][0].split(" checks")[0] == said[2][0].split(" checks")[0]
    assert progress[0] == progress[1]
    assert progress[0].startswith("10 of 10 seeds, 0 failed")
