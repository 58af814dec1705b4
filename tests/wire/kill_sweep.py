"""Deaths at every call site of one state, and at random ones: what the night's files share."""

import os
import time
from collections import Counter
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from random import Random

from tests.wire.call_sites import ARRANGED, FIRST_START, REACHED
from tests.wire.harness import FAST
from tests.wire.kill_arranged import ARRANGED_SCENES, LASTS, SETTINGS, SPARSE
from tests.wire.kill_scenes import (
    ANY,
    LIVES,
    SCENES,
    Place,
    Scene,
    Tally,
    come_back,
    die_at,
    died,
    met,
    open_bench,
    play,
    scene_of,
)

SEED = int(os.environ.get("KILL_SEED", "0")) or time.time_ns() % 1_000_000
PER_ACCOUNT = 8
"""Deaths of one account: each comparison reads its whole journal."""
OWED_LIVES = 6
FEW = {
    "DEGRADED": ("DELETE fapi/v1/order", "GET fapi/v1/order", "POST fapi/v1/order", "PUT fapi/v1/order"),
    "STOPPING": ("DELETE fapi/v1/order", "GET fapi/v1/order"),
}
"""Calls that a full ladder seldom has in a state."""
_NUMBERS = count()


def every_site_of(folder: Path, state: str) -> None:
    """Meet what the state's scene meets, then die once at each of its sites, at a moment and a time by chance.

    What only the deaths led to, as a restart that finds its books wrong, is tried at last: not each is met again.
    """
    chance = Random(f"{SEED} {state}")
    counts = _looked(folder, state)
    wanted = {site for site, states in REACHED.items() if state in states.split() and _in_scene(site, state)}
    wanted -= set(FIRST_START)
    deaths = []
    for site in sorted(counts.keys() - set(FIRST_START)):
        place, most = chance.choice(counts[site])
        deaths.append((place, chance.randint(1, max(1, most // 2))))
    tally = _die(folder, deaths)
    tally.show(f"seed {SEED}, {state}, {len(deaths)} sites")
    rare = {site: held for site, held in _places(folder, state).items() if site not in {*counts, *FIRST_START}}
    late = _die(folder, [(chance.choice(held)[0], 1) for _, held in sorted(rare.items())])
    late.show(f"seed {SEED}, {state}, {len(rare)} sites that only some runs reach")
    assert tally.wrong + late.wrong == []
    assert sorted(wanted - counts.keys() - rare.keys()) == [], "the scene no longer reaches these"
    assert len(tally.missed) * 10 <= len(deaths), tally.missed


def every_owed_site_of(folder: Path, state: str) -> None:
    """Die at each site that only an arranged scene meets: where it is met first, and when its call is over.

    A write under way is met when its answer comes, the rest before the call; one that many lives pass by is told.
    """
    sites = [site for site, states in sorted(ARRANGED.items()) if state in states.split()]
    first = _die_arranged(folder, state, [Place(site=site, moment=ANY, state=state) for site in sites])
    first.show(f"{state}, {len(sites)} sites owed")
    last = [Place(site=site, moment=_last_moment(site), state=state) for site in sites]
    gone = died(folder)
    late = _die_arranged(folder, state, [place for place in last if place not in gone])
    late.show(f"{state}, the same when the call is over")
    assert first.wrong + late.wrong == []
    assert first.missed == [], "never died there"


def _last_moment(site: str) -> str:
    """As the doomed process names it."""
    return "answered" if site.split()[1] in ("GET", "POST", "PUT", "DELETE") else "after"


def random_points(folder: Path, state: str, points: int) -> None:
    """Die at so many places of the state's scene, each place as likely as another; one not met again is drawn anew."""
    chance = Random(f"{SEED} {state} points")
    places = [each for site, held in _looked(folder, state).items() if site not in FIRST_START for each in held]
    wrong, owed = [], points
    for _ in range(3):
        deaths = [(place, chance.randint(1, max(1, most // 2))) for place, most in chance.choices(places, k=owed)]
        tally = _die(folder, deaths)
        tally.show(f"seed {SEED}, {owed} points of {state}")
        wrong += tally.wrong
        owed = len(tally.missed)
        if owed == 0:
            break
    assert wrong == []
    assert owed == 0, "places not met again"


def first_starts(folder: Path) -> None:
    """Die where only the first start of an account comes by, each on a new account."""
    places = [
        Place(site=site, moment=moment, state="STARTING") for site in FIRST_START for moment in ("before", "after")
    ]
    tally = _die(folder, [(place, 1) for place in places], per_account=1)
    tally.show("first starts")
    assert tally.wrong == [] and tally.missed == []


def _die_arranged(folder: Path, state: str, places: list[Place]) -> Tally:
    """Some calls about one order in a ladder of one rung a side, the others in a full one.

    The first on an account each: so few rungs do not get rid of what every scene buys.
    """
    settings = {**SETTINGS, **LASTS.get(state, {})}
    whole = Tally(missed=[], returns=[], wrong=[])
    for alone in (True, False):
        deaths = [(place, 1) for place in places if place.site.endswith(FEW.get(state, ())) is alone]
        some = {**settings, **SPARSE} if alone else settings
        each = 1 if alone else PER_ACCOUNT
        whole.add(_die(folder, deaths, per_account=each, settings=some, scenes=ARRANGED_SCENES, lives=OWED_LIVES))
    return whole


def _die(
    folder: Path,
    deaths: list[tuple[Place, int]],
    per_account: int = PER_ACCOUNT,
    settings: Mapping[str, str] = FAST,
    scenes: Mapping[str, Scene] = SCENES,
    lives: int = LIVES,
) -> Tally:
    whole = Tally(missed=[], returns=[], wrong=[])
    for first in range(0, len(deaths), per_account):
        with open_bench(_account(folder), settings) as bench:
            tally = die_at(bench, deaths[first : first + per_account], scenes, lives)
        whole.add(tally)
    return whole


def _in_scene(site: str, state: str) -> bool:
    return scene_of(Place(site=site, moment="before", state=state)) == state


def _account(folder: Path) -> Path:
    inside = folder / f"account{next(_NUMBERS)}"
    inside.mkdir()
    return inside


def _looked(folder: Path, state: str) -> dict[str, list[tuple[Place, int]]]:
    """Site -> its places in this state, with how often each is met, of one scene in which nobody dies."""
    inside = _account(folder)
    with open_bench(inside) as bench:
        # A start over what a crash left: an INIT with orders out, a STARTING that finds files.
        engine = come_back(bench)[0] if state in ("STARTING", "INIT") else None
        play(bench, state, None, engine=engine)
    return _places(inside, state)


def _places(folder: Path, state: str) -> dict[str, list[tuple[Place, int]]]:
    """The same of all accounts so far: `folder` holds one, or the folders of some."""
    most: Counter[Place] = Counter()
    for file in folder.rglob("met.jsonl"):
        most |= met(file.parent)
    found: dict[str, list[tuple[Place, int]]] = {}
    for place, times in sorted(most.items(), key=str):
        if scene_of(place) == state:
            found.setdefault(place.site, []).append((place, times))
    return found
