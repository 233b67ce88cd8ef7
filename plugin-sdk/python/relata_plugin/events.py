"""Named events that workflows start from or wait for."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import _host


def emit(name: str, about: Sequence[str] = (), data: Mapping[str, Any] | None = None) -> None:
    """Emits an event about some records, the first of which is the main one,
    when the step commits."""
    host = _host.interface("events")
    _host.call(host.emit, name, [str(record) for record in about], _host.json_object(data or {}))
