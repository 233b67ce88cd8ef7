"""The way to the host: through the bindings that the build generates.

They exist only inside of a component, and there only for the interfaces that
the plugin's permissions call for. So they are looked up at each call.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from typing import Any

from . import _shape
from .error import Error

PERMISSIONS = {
    "records": "[permissions.records.OBJECT] with read, update, create or delete",
    "messages": 'messages = ["mail"] or ["notify"] under [permissions]',
    "events": 'events = ["NAME"] under [permissions]',
    "state": "state = true under [permissions]",
    "http": "[[permissions.http]] with host and methods",
    "secrets": 'NAME = ["HOST"] under [permissions.secrets]',
}
"""What a plugin.toml must ask for, for an interface to be there."""

_calling = False


def load() -> None:
    """Loads the bindings, while modules can be loaded."""
    import_module("wit_world.exports.actions")
    for name in (*PERMISSIONS, "env", "log", "types"):
        with suppress(ImportError):  # the plugin asks for no such permission
            import_module(f"wit_world.imports.{name}")


def begin() -> None:
    """From here on the host answers."""
    global _calling
    _calling = True


def calling() -> bool:
    """Whether the host answers: in a call, not while the plugin is built."""
    return _calling


def interface(name: str) -> Any:
    """The bindings of one interface of the contract."""
    if not _calling:
        what = "clock and random bytes are" if name == "env" else f"`{name}` is"
        raise RuntimeError(
            f"the host's {what} there in a call of an action only: not when the plugin is built "
            "and the lines of a module run, and not outside of Relata"
        )
    try:
        return import_module(f"wit_world.imports.{name}")
    except ImportError:
        remedy = PERMISSIONS.get(name)
        mend = f"add {remedy} to plugin.toml and build again" if remedy else "build without --pure"
        raise Error("denied", f"the plugin was built without `{name}`: {mend}") from None


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls the host, and raises its error as ours."""
    try:
        return function(*arguments)
    except import_module("componentize_py_types").Err as refused:
        error = refused.value
    raise Error(
        error.code.name.lower().replace("_", "-"),
        error.message,
        retry_after=duration(error.retry_after_ms),
        details=None if error.details is None else json.loads(error.details),
    )


def refusal(error: Error) -> Exception:
    """An error of ours as the host takes it."""
    types = import_module("wit_world.imports.types")
    code = types.Code[error.code.upper().replace("-", "_")]
    after = None if error.retry_after is None else milliseconds(error.retry_after)
    details = None if error.details is None else json.dumps(error.details)
    err = import_module("componentize_py_types").Err
    refused: Exception = err(types.Error(code, error.message, after, details))
    return refused


def json_object(value: Mapping[str, Any]) -> str:
    """Fields or data as the JSON text of the contract."""
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a dict with names and values, not a {type(value).__name__}")
    return json.dumps(_shape.write(value), allow_nan=False)


def duration(ms: int | None) -> timedelta | None:
    """Milliseconds as a duration."""
    return None if ms is None else timedelta(milliseconds=ms)


def milliseconds(duration: timedelta, most: int = 2**32 - 1) -> int:
    """A duration as the milliseconds of the contract: at most 49 days, where
    it takes no more."""
    return min(max(duration // timedelta(milliseconds=1), 0), most)
