"""The options that only `gridops run` takes."""

from typing import Annotated

import typer

DurationOption = Annotated[str | None, typer.Option("--duration", help="Stop in order after this, such as 60s or 8h.")]
ArmedOption = Annotated[
    bool | None, typer.Option("--armed/--no-armed", help="May place orders; paper is armed, live must be told.")
]
VenueOption = Annotated[str | None, typer.Option("--venue", help="paper, binance, or an emulator's http URL.")]
MarketOption = Annotated[
    str | None, typer.Option("--market", help="Of the paper venue: synthetic:SEED or recorded:PATH[,PATH...].")
]
FromOption = Annotated[str | None, typer.Option("--from", help="Market time to start at, ISO in UTC or ms.")]
SpeedOption = Annotated[str | None, typer.Option("--speed", help="Of the paper market only; our clocks stay real.")]
LoopOption = Annotated[bool, typer.Option("--loop", help="Repeat a recording.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="A new paper account and journal; the old ones are kept.")]
HeadlessOption = Annotated[bool, typer.Option("--headless", help="In the foreground, without a screen.")]
StopOnExitOption = Annotated[
    bool, typer.Option("--stop-on-exit", help="Closing the screen stops the engine; else it goes on.")
]
StopModeOption = Annotated[
    str | None, typer.Option("--stop-mode", help="What a stop does: cancel, leave, reduce or flatten.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show the plan for the present book and these settings; send nothing.")
]
RestartProofOption = Annotated[
    bool, typer.Option("--restart-proof", help="Show the targets first, and start only once they are agreed to.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Agree to what --restart-proof shows.")]
