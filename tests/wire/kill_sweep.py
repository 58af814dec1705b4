"""Deaths at every call site of one state, and at random ones: what the night's three files share."""

import os
import time
from pathlib import Path
from random import Random

from tests.wire.call_sites import FIRST_START, REACHED
from tests.wire.harness import Bench
from tests.wire.kill_scenes import Place, come_back, die_at, met, open_bench, play, scene_of

SEED = int(os.environ.get("KILL_SEED", "0")) or time.time_ns() % 1_000_000


def every_site_of(folder: Path, state: str) -> None:
    """Meet what the state's scene meets, then die once at each of its sites, at a moment and a time by chance."""
    chance = Random(f"{SEED} {state}")
    with open_bench(folder) as bench:
        counts = _looked(folder, state, bench)
        lacking = sorted(
            site
            for site, states in REACHED.items()
            if state in states.split() and site not in counts and site not in FIRST_START
        )
        deaths = []
        for site in sorted(counts.keys() - set(FIRST_START)):
            place, most = chance.choice(counts[site])
            deaths.append((place, chance.randint(1, max(1, most // 2))))
        tally = die_at(bench, deaths)
    tally.show(f"seed {SEED}, {state}, {len(deaths)} sites")
    assert tally.wrong == []
    assert lacking == [], "the scene no longer reaches these"
    assert len(tally.missed) * 20 <= len(deaths), tally.missed


def random_points(folder: Path, state: str, count: int) -> None:
    """Die at so many places of the state's scene, each place as likely as another."""
    chance = Random(f"{SEED} {state} points")
    with open_bench(folder) as bench:
        places = [each for held in _looked(folder, state, bench).values() for each in held]
        deaths = [(place, chance.randint(1, max(1, most // 2))) for place, most in chance.choices(places, k=count)]
        tally = die_at(bench, [each for each in deaths if each[0].site not in FIRST_START])
    tally.show(f"seed {SEED}, {count} points of {state}")
    assert tally.wrong == []


def first_starts(folder: Path) -> None:
    """Die where only the first start of an account comes by, each on a new account."""
    wrong = []
    for number, site in enumerate(FIRST_START):
        for moment in ("before", "after"):
            home = folder / f"{number}-{moment}"
            home.mkdir()
            with open_bench(home) as bench:
                tally = die_at(bench, [(Place(site=site, moment=moment, state="STARTING"), 1)])
            assert not tally.missed, tally.missed
            wrong += tally.wrong
    print(f"first starts: {2 * len(FIRST_START)} deaths, {len(wrong)} wrong")
    assert wrong == []


def _looked(folder: Path, state: str, bench: Bench) -> dict[str, list[tuple[Place, int]]]:
    """Site -> its places in this state, with how often each is met, of one scene in which nobody dies."""
    play(bench, state, None)
    engine, back = come_back(bench)
    engine.kill()
    assert back.faults == ()
    found: dict[str, list[tuple[Place, int]]] = {}
    for place, most in sorted(met(folder).items(), key=str):
        if scene_of(place) == state:
            found.setdefault(place.site, []).append((place, most))
    return found
