"""The command table and the root group that loads a command only when it is called.

The table is all that `gridops --help` needs. A test holds its words against the commands' own help.
"""

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("gridops_cli.run", "Trade the grid until told to stop, then say what happened."),
    "watch": ("gridops_cli.watch", "Attach a screen to the running engine, or to a dead one's journal, and say which."),
    "triage": ("gridops_cli.triage", "Name the first cause, on one page."),
    "fsm": ("gridops_cli.fsm", "Show the lifecycle, and pause, resume or acknowledge with a reason."),
    "kill": ("gridops_cli.kill", "Stop all trading now: cancel, flatten, latch until an ack."),
    "sync": ("gridops_cli.sync", "Compare our orders, positions and money with the venue's."),
    "roundtrip": ("gridops_cli.roundtrip", "List round trips, show one with its story, and tie the books out."),
    "evidence": ("gridops_cli.evidence", "List, show, verify and prune evidence bundles."),
    "drill": ("gridops_cli.drill", "Rehearse failures in virtual time, with a verdict and evidence each."),
    "replay": ("gridops_cli.replay", "Re-run a journal and compare every row, state and digest."),
    "venue": ("gridops_cli.venue", "Run the venue emulator by hand, or list and stop the ones that run."),
    "runbook": ("gridops_cli.runbook", "Print a runbook page, or run what it says to look at."),
    "doctor": ("gridops_cli.doctor", "Check config, keys, clock, disk, filters, sizes, modes and journal."),
    "init": ("gridops_cli.init", "Write a commented config for a symbol and an equity, sizes feasible."),
    "config": ("gridops_cli.config", "Show, check or compare the effective settings, with the source of each."),
}
"""Name -> (module that holds `app`, short help)."""

SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(TyperGroup):
    """Lists from the table; imports a command's module when it is resolved."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (the framework's signature)
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            command = get_command(importlib.import_module(COMMANDS[cmd_name][0]).app)
            command.name = cmd_name
            _spare_conversion(command)
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


class _AsTyped:
    """Text stays the text that was typed, a flag the flag that was seen."""

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:  # noqa: ARG002 (the framework's signature)
        return value


def _spare_conversion(command: Any) -> None:
    """Keep plain text options and flags from loading a validation library: a third of the time a short command takes.

    A framework without this seam converts as it always did.
    """
    for inner in getattr(command, "commands", {}).values():
        _spare_conversion(inner)
    # The help flag is made on demand, and its names come from a context.
    flag = command.get_help_option(command.context_class(command, **SETTINGS))
    for param in [*command.params, *([flag] if flag is not None else [])]:
        described = getattr(param, "type_descriptor", None)
        if getattr(described, "annotation", None) in (str, bool) and getattr(param, "_runtime_param", command) is None:
            param._runtime_param = _AsTyped()


def sub_app(*, group: bool = False) -> typer.Typer:
    """A command's own Typer app, with the house's settings; a group without a subcommand shows its help."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=SETTINGS,
        no_args_is_help=group,
    )


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
    epilog="Exit codes: 0 ok, 1 finding, 2 usage or config, 3 venue, 4 refused, 5 evidence or journal, "
    "70 bug, 130 interrupt.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from gridops import __version__

        typer.echo(f"gridops {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Run a futures grid, see why it is not trading, repair it safely, and prove afterwards what happened.

    Example: gridops run --duration 60s
    """


def root_command() -> Any:
    """The root as a command object, for the entry point and for tests that walk every command."""
    root_group = get_command(app)
    _spare_conversion(root_group)
    return root_group
