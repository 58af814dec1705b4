"""`gridops watch`: a screen on the engine of an account, running or dead."""

import sys

from gridops.errors import ConfigError

from gridops_cli import render
from gridops_cli.app import sub_app
from gridops_cli.options import AccountOption, ConfigOption, EvidenceOption, HomeOption, place

app = sub_app()


@app.command()
def watch(
    home: HomeOption = None,
    account: AccountOption = None,
    config: ConfigOption = None,
    evidence_dir: EvidenceOption = None,
) -> None:
    """Attach a screen to the running engine, or to a dead one's journal, and say which.

    Example: gridops watch --account paper
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("watch needs a terminal", hint="`gridops fsm show` prints the same state as text")
    from gridops.tui.attach import watch as open_screen

    where = place(home, account, config, evidence_dir)
    open_screen(where)
    from gridops.usecases.command_evidence import newest_of_all
    from gridops.usecases.liveness import Process, feel

    pulse = feel(where.home, where.account)
    goes_on = f"; the engine goes on (pid {pulse.pid})" if pulse.process is Process.LIVE else ""
    render.narrate(f"left the screen: engine {pulse.process}{goes_on}")
    render.evidence(newest_of_all(where.evidence_root))
