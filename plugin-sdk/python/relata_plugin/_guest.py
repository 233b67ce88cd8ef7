"""Between the actions and the contract: what a component exports."""

import json
from collections.abc import Mapping
from importlib import import_module
from types import TracebackType
from typing import Any

from . import _host, _shape, log
from ._plugin import Action, Context, Plugin, Retry, Skip
from ._types import Reference
from .error import Error

_OWN = __file__.removesuffix("_guest.py")

_FRAMES = 20
"""How many places of a traceback are told; a recursion has a thousand."""


class Guest:
    """The actions of one plugin, as the host calls them."""

    def __init__(self, plugin: Plugin, sources: Mapping[str, str]) -> None:
        """`sources`: where the author's files lie in the component, and what
        they are called in the author's folder."""
        self._actions = plugin.actions
        self._sources = sources

    def describe(self) -> list[Any]:
        """The descriptors of all actions."""
        bindings = import_module("wit_world.exports.actions")
        return [
            bindings.Descriptor(
                id=action.id,
                title=action.title,
                summary=action.summary,
                input_schema=json.dumps(action.input.schema),
                output_schema=json.dumps(action.output.schema),
                reads=list(action.reads),
                writes=list(action.writes),
                correlation=[
                    bindings.Correlation(event, field)
                    for event, field in action.correlation.items()
                ],
                exclusive=action.exclusive,
                idempotent=action.idempotent,
            )
            for action in self._actions.values()
        ]

    def run(self, ctx: Any, action: str, input: str) -> Any:
        """Runs one action."""
        try:
            return self._attempt(ctx, action, input)
        except Error as error:
            raise _host.refusal(error) from None
        except BaseException as exception:  # also what `sys.exit` raises
            raise _host.refusal(self._panic(exception)) from None

    def _attempt(self, ctx: Any, name: str, text: str) -> Any:
        action = self._actions.get(name)
        if action is None:
            known = ", ".join(self._actions)
            raise Error("not-found", f"this plugin has no action `{name}`; it has {known}")
        try:
            input = action.input.read(json.loads(text), "")
        except _shape.Misfit as misfit:
            message = f"the input does not fit the action `{name}`: {misfit}"
            raise Error("invalid", message) from None
        context = Context(
            run_id=ctx.run_id,
            step_id=ctx.step_id,
            attempt=ctx.attempt,
            idempotency_key=ctx.idempotency_key,
            subject=None if ctx.subject is None else Reference(ctx.subject),
            dry_run=ctx.dry_run,
        )
        return _outcome(action, action.run(context, input))

    def _panic(self, exception: BaseException) -> Error:
        """Tells the host of a fault of the plugin, and makes an error of it."""
        message = f"{type(exception).__name__}: {exception}".removesuffix(": ")
        if isinstance(exception, MemoryError):
            message = "out of memory: raise memory_mib under [limits] in plugin.toml"
        frames = list(self._frames(exception.__traceback__))
        places = [place for place, _ in frames]
        location = ([place for place, own in frames if own] or places or ["the SDK"])[-1]
        log.panic(message, location)
        traceback = {"traceback": places[-_FRAMES:]}
        return Error("permanent", f"{message} ({location})", details=traceback)

    def _frames(self, traceback: TracebackType | None) -> Any:
        """The places of a traceback from the action on, the innermost last, each
        with whether it is in a file of the author's."""
        while traceback is not None:
            file = traceback.tb_frame.f_code.co_filename
            if not file.startswith(_OWN):
                own = next((at for at in self._sources if file.startswith(at)), None)
                shown = file if own is None else self._sources[own] + file.removeprefix(own)
                yield f"{shown}:{traceback.tb_lineno}", own is not None
            traceback = traceback.tb_next


def _outcome(action: Action, result: Any) -> Any:
    bindings = import_module("wit_world.exports.actions")
    if isinstance(result, Skip):
        return bindings.Outcome_Skip(result.reason)
    if isinstance(result, Retry):
        return bindings.Outcome_Retry((_host.milliseconds(result.after), result.reason))
    if not isinstance(result, action.returns):
        declared, returned = action.returns.__name__, type(result).__name__
        raise Error(
            "permanent", f"the action `{action.id}` declares {declared} and returned {returned}"
        )
    try:
        text = json.dumps({} if result is None else _shape.write(result), allow_nan=False)
    except (_shape.Unfit, ValueError) as why:
        message = f"the output of the action `{action.id}` cannot be written as JSON: {why}"
        raise Error("permanent", message) from None
    return bindings.Outcome_Done(text)
