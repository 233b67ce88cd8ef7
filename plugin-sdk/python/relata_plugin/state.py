"""The plugin's own small memory: values under keys that no other plugin can
read, written together with the step.

For a counter that must not be lost under concurrency, either declare the
action `exclusive=` or write with `if_revision=`.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from . import _host, _shape


@dataclass(frozen=True)
class Item:
    """A value and how often it was written."""

    value: Any
    revision: int
    """Goes up by one with each write; the first is 1."""


def get(key: str) -> Item | None:
    """The value under a key, if there is one."""
    host = _host.interface("state")
    item = _host.call(host.get, key)
    return None if item is None else Item(json.loads(item.value), item.revision)


def put(
    key: str, value: Any, *, if_revision: int | None = None, ttl: timedelta | None = None
) -> int:
    """Stores a value that has a JSON form. Returns its new revision.

    With `if_revision`, only if the value still has it, 0 meaning that the key
    must be new; otherwise a `conflict` error. With `ttl`, the host forgets the
    value after so long.
    """
    host = _host.interface("state")
    ttl_ms = None if ttl is None else _host.milliseconds(ttl, most=2**64 - 1)
    text = json.dumps(_shape.write(value), allow_nan=False)
    revision: int = _host.call(host.put, key, text, if_revision, ttl_ms)
    return revision
