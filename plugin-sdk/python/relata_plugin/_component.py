"""What `relata_plugin.build` puts at the root of a component."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any

from . import _sandbox
from ._guest import Guest
from ._plugin import Plugin
from ._shape import Unfit, shape


def export(module: ModuleType, sources: Mapping[str, str]) -> type:
    """The class that the component exports, for the plugin in an author's
    module."""
    plugin = getattr(module, "plugin", None)
    if not isinstance(plugin, Plugin):
        raise TypeError(f"{module.__name__}.py has no `plugin = Plugin()`")
    if not plugin.actions:
        raise TypeError(f"{module.__name__}.py has no action: put @plugin.action before a function")
    guest = Guest(plugin, sources)

    class Actions:
        def describe(self) -> list[Any]:
            return guest.describe()

        def run(self, ctx: Any, action: str, input: str) -> Any:
            _sandbox.begin()
            try:
                return guest.run(ctx, action, input)
            finally:
                _sandbox.end()

    _look_at_types(sources)
    _sandbox.freeze()
    return Actions


def _look_at_types(sources: Mapping[str, str]) -> None:
    """Looks at the author's dataclasses now, and not in each call anew."""
    for module in list(sys.modules.values()):
        if not (getattr(module, "__file__", None) or "").startswith(tuple(sources)):
            continue
        for type_ in vars(module).values():
            if isinstance(type_, type) and is_dataclass(type_):
                with suppress(Unfit):  # not every dataclass comes from JSON
                    shape(type_)
