"""Open the screen on an account: wires it to the journal, the control socket, the lease and the log of one home."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gridops.adapters.clock import Clock
from gridops.adapters.control_client import user_name
from gridops.tui.app import WatchApp, Wiring
from gridops.tui.feed import JournalFeed, LogTail
from gridops.usecases.liveness import feel
from gridops.usecases.place import Place

if TYPE_CHECKING:
    from gridops.usecases.operate import Wish, WishReport


def wire(place: Place, *, ended: Callable[[], int | None] | None = None) -> Wiring:
    """What the screen needs of the outside. `ended` tells the exit code of an engine that was started for it."""
    home, account = place.home, place.account
    return Wiring(
        account=account,
        home=str(home.root),
        source=JournalFeed(home.journal(account)),
        feel=lambda: feel(home, account),
        tell=lambda wish: _tell(place, wish),
        log=LogTail(home.log_dir / f"{account}.jsonl"),
        now_ms=Clock().wall_ms,
        author=user_name(),
        ended=ended,
    )


def _tell(place: Place, wish: "Wish") -> "WishReport":
    """Loaded at the first word: the screen paints without it."""
    from gridops.usecases import operate

    return operate.execute(place, wish)


def watch(place: Place, *, ended: Callable[[], int | None] | None = None) -> str:
    """Show the screen until it is left; how it was left: `detached` or `ended`."""
    return WatchApp(wire(place, ended=ended)).run() or "detached"
