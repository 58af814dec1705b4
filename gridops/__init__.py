"""gridops: run a futures grid bot, see why it is not trading, repair it safely, prove afterwards what happened."""

__version__ = "0.1.0"
