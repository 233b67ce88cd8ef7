"""What an action is, and how one is declared."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ._shape import Shape, Unfit, shape
from ._types import Reference

F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NOTHING = Shape({"type": "object"}, lambda value, at: None)


@dataclass(frozen=True)
class Context:
    """What a call knows of the step that it runs for."""

    run_id: str
    step_id: str
    attempt: int
    """1 for the first attempt."""
    idempotency_key: str
    """The same for every attempt of one step."""
    subject: Reference | None
    """The record that the run is about, if any."""
    dry_run: bool
    """A rehearsal: the host discards what this call writes."""


@dataclass(frozen=True)
class Skip:
    """There was nothing to do. Made by `skip`."""

    reason: str


@dataclass(frozen=True)
class Retry:
    """Not yet. Made by `retry`."""

    after: timedelta
    reason: str


def skip(reason: str) -> Skip:
    """There was nothing to do, for this reason: the run goes on without an
    output. Return it: `return skip("the lead has an owner already")`."""
    return Skip(reason)


def retry(after: timedelta, reason: str) -> Retry:
    """Not yet: call the action again after so long, at most 49 days. Not a
    failure, and not counted as one. Return it."""
    return Retry(after, reason)


@dataclass(frozen=True)
class Action:
    """An action as it was declared."""

    id: str
    title: str
    summary: str
    run: Callable[..., Any]
    input: Shape
    output: Shape
    returns: type
    """The type of the output."""
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    correlation: Mapping[str, str]
    exclusive: str | None
    idempotent: bool


class Plugin:
    """The actions of a plugin. One a plugin, in a variable `plugin`."""

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}

    def action(
        self,
        *,
        title: str,
        reads: Sequence[str] = (),
        writes: Sequence[str] = (),
        correlation: Mapping[str, str] | None = None,
        exclusive: str | None = None,
        idempotent: bool = True,
    ) -> Callable[[F], F]:
        """Makes an action of a function, under the function's name.

        The function takes a `Context` and a dataclass, and returns a dataclass,
        `skip(…)` or `retry(…)`: `def company(ctx: Context, input: Input) ->
        Output | Skip`. Its docstring is a paragraph for the reference page.

        - `title`: one line, `Pick the next salesperson in turn`.
        - `reads`, `writes`: `lead`, `lead.owner`, or `*` when the input
          decides. From these the host finds workflows that would trigger one
          another for ever.
        - `correlation`: events that answer this action, each with the field of
          the output that holds its key.
        - `exclusive`: steps with the same key run one after another, across all
          machines, until their commit: `rotation/{team}`, where `{team}` stands
          for the input `team`.
        - `idempotent`: whether a second call with the same idempotency key does
          no harm outside of Relata. True for all that is written through the
          host.
        """

        def declare(function: F) -> F:
            name = getattr(function, "__name__", "")
            try:
                if not _NAME.fullmatch(name):
                    raise TypeError(
                        "its name cannot be used: a letter a-z first, then letters a-z, "
                        "digits and _, at most 40"
                    )
                if name in self.actions:
                    raise TypeError("it is there twice")
                input, output, returns = _signature(function)
                self.actions[name] = Action(
                    id=name,
                    title=title,
                    summary=inspect.getdoc(function) or "",
                    run=function,
                    input=input,
                    output=output,
                    returns=returns,
                    reads=_texts("reads", reads),
                    writes=_texts("writes", writes),
                    correlation=dict(correlation or {}),
                    exclusive=exclusive,
                    idempotent=idempotent,
                )
            except TypeError as wrong:
                raise TypeError(f"the action `{name}`: {wrong}") from None
            return function

        return declare


def _signature(function: Callable[..., Any]) -> tuple[Shape, Shape, type]:
    parameters = list(inspect.signature(function).parameters)
    hints = get_type_hints(function, include_extras=True)
    if len(parameters) != 2 or parameters[1] not in hints or "return" not in hints:
        raise TypeError("declare it as `def name(ctx: Context, input: Input) -> Output`")
    returned = hints["return"]
    ways = get_args(returned) if get_origin(returned) in (Union, UnionType) else (returned,)
    kinds = [way for way in ways if way not in (Skip, Retry)]
    if len(kinds) != 1:
        raise TypeError("it returns one dataclass or None, and Skip and Retry beside it")
    returns = kinds[0]
    output = _NOTHING if returns is NoneType else _record("output", returns)
    return _record("input", hints[parameters[1]]), output, returns


def _record(which: str, type_: Any) -> Shape:
    found = shape(type_)
    if "properties" not in found.schema:
        raise Unfit(f"its {which} should be a dataclass")
    return found


def _texts(name: str, texts: Sequence[str]) -> tuple[str, ...]:
    # A str is a sequence of str: `writes="lead"` would be four objects.
    if isinstance(texts, str):
        raise TypeError(f'{name}= is a list: {name}=["{texts}"]')
    return tuple(texts)
