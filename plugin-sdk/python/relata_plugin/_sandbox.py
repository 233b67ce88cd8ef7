"""What the standard library finds in a component instead of an operating system.

A component has no clock, no random bytes, no files and no standard output of
its own: the calls for them are there, and end the plugin without a word. Here
the host's take their place where it has any, and exceptions with a reason where
it has none.

And a component is a snapshot: all modules are loaded when it is built, and each
call goes on from there. So random numbers are seeded anew for each call, and
what was not loaded by then cannot be imported any more.
"""

import sys

# The classes of the C module read the clock by themselves, out of reach; those
# of the Python module, which takes its place, through `time`.
sys.modules["_datetime"] = None  # type: ignore[assignment]
sys.modules["_zoneinfo"] = None  # type: ignore[assignment]  # it builds on the former

import _io
import _socket
import builtins
import errno
import gc
import io
import logging
import os
import posix
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from . import _host, env, log
from .error import Error

# What the standard library loads only when it is first used. All of `encodings`
# would be a megabyte; these are what web services answer in.
for _late in (
    "_strptime",
    "encodings.ascii",
    "encodings.cp1252",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_16",
    "encodings.utf_8_sig",
):
    import_module(_late)

# Held for ever: to close them would be a call to the operating system.
_STREAMS = (sys.stdin, sys.stdout, sys.stderr)


_SEEDED_BY_CHANCE: list[random.Random] = []
"""Those that were made while the plugin was built: their state is in the
snapshot, so each call would draw the same numbers."""


def freeze() -> None:
    """Ends the building: what is loaded now is what each call begins with."""
    _host.load()
    gc.collect()
    # Nothing of it is garbage; a call need not look through it again.
    gc.freeze()


def begin() -> None:
    """Begins a call."""
    _host.begin()
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not PathFinder]
    sys.meta_path.append(_NothingToLoad)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(), _Lines("INFO"), _Lines("WARN")
    # A plugin that only computes has no chance either: one input, one output.
    with suppress(Error):
        for generator in _SEEDED_BY_CHANCE:
            generator.seed()


def end() -> None:
    """Ends a call: what was printed without an end of line is a line."""
    for lines in (sys.stdout, sys.stderr):
        if isinstance(lines, _Lines):
            lines.finish()


class _NothingToLoad:
    """The last finder of modules."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: object = None) -> NoReturn:
        raise ModuleNotFoundError(
            f"`{name}` is not in the plugin: modules are loaded when it is built, "
            "so import it at the top of a file",
            name=name,
        )


class _Lines(io.TextIOBase):
    """A text stream whose lines go to the plugin's log."""

    encoding = "utf-8"

    def __init__(self, level: str) -> None:
        self._level = level
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            log.emit(self._level, line, {})
        return len(text)

    def finish(self) -> None:
        if self._begun:
            self.write("\n")


class _LogHandler(logging.Handler):
    """The module `logging` writes to the plugin's log; `extra=` are its fields."""

    _ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message"}

    def emit(self, record: logging.LogRecord) -> None:
        fields = {key: value for key, value in vars(record).items() if key not in self._ORDINARY}
        log.emit(_level(record.levelno), self.format(record), fields)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "ERROR"
    if number >= logging.WARNING:
        return "WARN"
    return "INFO" if number >= logging.INFO else "DEBUG"


def _now_s(*_: Any) -> float:
    return env.now_ms() / 1_000


def _now_ns(*_: Any) -> int:
    return env.now_ms() * 1_000_000


def _sleep(seconds: float) -> None:
    if seconds > 0:
        raise RuntimeError("a plugin does not wait inside of a call: return retry(timedelta(…), …)")


def _by_default_now(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`time.gmtime` and its like, which take the clock where they are given
    nothing."""

    def either(value: Any = None) -> Any:
        return function(_now_s() if value is None else value)

    return either


def _install_clock() -> None:
    gmtime, asctime, strftime = time.gmtime, time.asctime, time.strftime
    for clock in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        _put(time, **{clock: _now_s, f"{clock}_ns": _now_ns})
    _put(
        time,
        clock_gettime=_now_s,
        clock_gettime_ns=_now_ns,
        get_clock_info=lambda name: SimpleNamespace(
            implementation="relata", monotonic=True, adjustable=False, resolution=0.001
        ),
        sleep=_sleep,
        gmtime=_by_default_now(gmtime),
        # There is no other time zone than UTC.
        localtime=_by_default_now(gmtime),
        ctime=_by_default_now(time.ctime),
        asctime=lambda when=None: asctime(time.gmtime() if when is None else when),
        strftime=lambda format, when=None: strftime(
            format, time.gmtime() if when is None else when
        ),
    )


def _install_chance() -> None:
    seed = random.Random.seed

    def reseed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and _host.calling():
            a = int.from_bytes(env.random(32))
        elif a is None:
            _SEEDED_BY_CHANCE.append(self)
            a = 0
        seed(self, a, version)

    for module in (os, posix):
        _put(module, urandom=env.random)
    random.Random.seed = reseed  # type: ignore[method-assign]
    _put(random, _urandom=env.random, seed=random._inst.seed)
    random.seed()


def _install_refusals() -> None:
    opening = _only_while_building(io.open)
    for module in (builtins, io, _io):
        _put(module, open=opening)
    _put(_io, open_code=_only_while_building(_io.open_code))
    for name in _SYSTEM_CALLS:
        if hasattr(posix, name):
            function = _only_while_building(getattr(posix, name))
            _put(posix, **{name: function})
            _put(os, **{name: function})
    for name in ("socket", "getaddrinfo", "gethostbyname", "gethostname"):
        _put(_socket, **{name: _NoSocket})


_SYSTEM_CALLS = (
    "access chdir chmod close dup fstat ftruncate isatty link listdir lseek lstat mkdir open read "
    "readlink remove rename replace rmdir scandir stat symlink times truncate unlink utime write"
).split()


def _only_while_building(real: Callable[..., Any]) -> Callable[..., Any]:
    def either(*arguments: Any, **keywords: Any) -> Any:
        if _host.calling():
            raise OSError(
                errno.ENOTSUP,
                "a call has no operating system and no files: read a file at the top of a module, "
                "when the plugin is built",
            )
        return real(*arguments, **keywords)

    return either


class _NoSocket:
    """In the place of the class of sockets, and of functions around it."""

    __slots__ = ()

    def __init__(self, *_: Any, **__: Any) -> None:
        raise OSError(
            errno.ENOTSUP, "a plugin has no sockets: call web services with relata_plugin.http"
        )

    def close(self) -> None:
        """What `socket.socket` calls on the way out."""


def _put(module: ModuleType, **names: Any) -> None:
    vars(module).update(names)


_install_clock()
_install_chance()
_install_refusals()
logging.root.addHandler(_LogHandler())
logging.root.setLevel(logging.INFO)
