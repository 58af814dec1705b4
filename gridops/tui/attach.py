"""Open the screen on an account: wires it to the journal, the control socket, the lease and the log of one home."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gridops.tui.app import WatchApp
from gridops.usecases.place import Place

if TYPE_CHECKING:
    from gridops.tui.view import View

Ended = Callable[[], int | None]


def view(place: Place, ended: Ended | None = None) -> "View":
    """The account behind the screen. Imports what folding and an operator's word need."""
    from gridops.adapters.clock import Clock
    from gridops.adapters.control_client import user_name
    from gridops.tui.feed import JournalFeed, LogTail
    from gridops.tui.view import View, Wiring
    from gridops.usecases import operate
    from gridops.usecases.liveness import feel

    home, account = place.home, place.account
    return View(
        Wiring(
            account=account,
            home=str(home.root),
            source=JournalFeed(home.journal(account)),
            feel=lambda: feel(home, account),
            tell=lambda wish: operate.execute(place, wish),
            log=LogTail(home.log_dir / f"{account}.jsonl"),
            now_ms=Clock().wall_ms,
            author=user_name(),
            ended=ended,
        )
    )


def watch(place: Place, *, ended: Ended | None = None) -> str:
    """Show the screen until it is left: `detached`, or `ended` with the engine that `ended` tells the exit code of.

    Raises what the screen crashed of.
    """
    app = WatchApp(lambda: view(place, ended))
    left = app.run()
    if app.crash is not None:
        raise app.crash
    return left or "detached"
