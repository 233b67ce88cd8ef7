"""What a Relata plugin in Python is written with.

A plugin gives actions: steps that workflows name with `do: plugin.action`.
The whole of one that counts:

    from dataclasses import dataclass
    from relata_plugin import Context, Plugin, state

    plugin = Plugin()

    @dataclass
    class Input:
        by: int = 1
        '''How much to add.'''

    @dataclass
    class Output:
        total: int

    @plugin.action(title="Add to the total", exclusive="total")
    def add(ctx: Context, input: Input) -> Output:
        '''Adds a number to a total that the plugin keeps.'''
        item = state.get("total")
        total = (item.value if item else 0) + input.by
        state.put("total", total)
        return Output(total)

What an action writes is collected and committed together with the step, or
not at all: it needs no undo, and no check whether it ran before.
"""

import sys

if sys.platform == "wasi":
    # Before anything else is imported: it puts the host's clock and random
    # bytes in the place of those that a component does not have.
    from . import _sandbox as _sandbox

from . import env, events, http, log, messages, records, secrets, state
from ._plugin import Context, Plugin, Retry, Skip, retry, skip
from ._types import Due, Of, Reference, Schema, Template
from .error import Code, Error

__all__ = [
    "Code",
    "Context",
    "Due",
    "Error",
    "Of",
    "Plugin",
    "Reference",
    "Retry",
    "Schema",
    "Skip",
    "Template",
    "env",
    "events",
    "http",
    "log",
    "messages",
    "records",
    "retry",
    "secrets",
    "skip",
    "state",
]
