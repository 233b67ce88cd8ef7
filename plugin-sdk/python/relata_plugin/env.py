"""What a call may know of the world: the time, and chance.

Both come from the host, so that a recorded call can be replayed exactly.
`time.time()`, `datetime.now()`, `random` and `os.urandom` take them from here
too.
"""

from datetime import UTC, date, datetime, timedelta

from . import _host

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BYTES = 1_024
"""The most that the host gives at once."""


def now_ms() -> int:
    """Milliseconds since 1970 UTC; the same through the whole call."""
    ms: int = _host.interface("env").now_ms()
    return ms


def now() -> datetime:
    """Now, in UTC; the same through the whole call."""
    return _EPOCH + timedelta(milliseconds=now_ms())


def today() -> date:
    """Today's date in UTC."""
    return now().date()


def random(length: int) -> bytes:
    """So many random bytes."""
    host = _host.interface("env")
    pieces = []
    while length > 0:
        piece = min(length, _RANDOM_BYTES)
        pieces.append(host.random(piece))
        length -= piece
    return b"".join(pieces)


def deadline() -> datetime:
    """When the host will end this call."""
    return _EPOCH + timedelta(milliseconds=_host.interface("env").deadline_ms())


def cancelled() -> bool:
    """Whether the run was cancelled meanwhile. A long action asks now and then,
    and stops."""
    answer: bool = _host.interface("env").cancelled()
    return answer
