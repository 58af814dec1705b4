"""The terminal screen: folds the journal of an engine into panels, beside a running engine or after its death.

Lives outside the engine's process and reads only; an operator's keys go over the control socket like any command. It
decides nothing, and nothing it shows is younger than it says.
"""
