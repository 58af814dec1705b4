"""The wire of the venue emulator: REST, streams, ws-api, limits, faults, oracle and control on one loopback port.

Sits above the sockets-free core and below the process. It decides nothing about orders or money: every such answer is
the core's, framed, signed-checked, limited and journaled here.
"""
