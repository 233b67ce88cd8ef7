"""The plugin's log, kept with the run.

    log.info("picked the next of the team", team=input.team, open=3)

`print` and the module `logging` write here too. No customer's text and no
secret, please: logs are kept where records are not.
"""

import json
from typing import Any

from . import _host


def debug(message: str, **fields: Any) -> None:
    """For whoever writes the plugin."""
    emit("DEBUG", message, fields)


def info(message: str, **fields: Any) -> None:
    """What happened."""
    emit("INFO", message, fields)


def warn(message: str, **fields: Any) -> None:
    """What somebody should look at."""
    emit("WARN", message, fields)


def error(message: str, **fields: Any) -> None:
    """What went wrong."""
    emit("ERROR", message, fields)


def emit(level: str, message: str, fields: dict[str, Any]) -> None:
    """Writes one line. What has no JSON is written as `str()` has it."""
    host = _host.interface("log")
    host.emit(host.Level[level], message, json.dumps(fields, default=str))


def panic(message: str, location: str) -> None:
    """Tells the host of a fault of the plugin itself, and where it happened."""
    _host.interface("log").panic(message, location)
