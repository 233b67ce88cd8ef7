"""Calls of web services. Which hosts a plugin may reach, and with which
methods, stands under `[[permissions.http]]` in its plugin.toml.

    response = http.get("https://api.example.com/v1/companies", query={"domain": domain})
    if response.status == 404:
        return None
    company = response.raise_for_status().parse(Company)

A status of 400 or more is an answer like another. An error is what kept an
answer from coming.
"""

import json as _json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode, urlsplit

from . import _host, _shape
from .error import Error

T = TypeVar("T")
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_REFUSED, _FAULT = 400, 500
_BUSY = (408, 425, 429)

_SECONDS_DIGITS = 9
"""More of them is not a time to wait, and more than a timedelta holds."""


@dataclass(frozen=True)
class Response:
    """What a web service answered."""

    host: str
    """Who answered: the host of the request."""
    status: int
    headers: dict[str, str]
    """By name in lower case; the values of a name that is there twice are
    joined with a comma."""
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8; what is not UTF-8 in it becomes `\N{REPLACEMENT CHARACTER}`."""
        return self.body.decode(errors="replace")

    @property
    def retry_after(self) -> timedelta | None:
        """How long to wait, if the header `retry-after` says so in seconds."""
        seconds = self.headers.get("retry-after", "").strip()
        if not seconds.isdecimal() or len(seconds) > _SECONDS_DIGITS:
            return None
        return timedelta(seconds=int(seconds))

    def raise_for_status(self) -> "Response":
        """Itself, if its status is below 400. Else an error: `transient` where the
        service is busy (408, 425, 429, 500 and above), with its `retry-after`,
        and `permanent` for the others."""
        if self.status < _REFUSED:
            return self
        message = f"{self.host} answered {self.status}"
        if self.status in _BUSY or self.status >= _FAULT:
            raise Error("transient", message, retry_after=self.retry_after)
        raise Error("permanent", message)

    def json(self) -> Any:
        """The body as JSON, or a `permanent` error."""
        try:
            return _json.loads(self.body)
        except ValueError:
            raise self._unreadable("it is not JSON") from None

    def parse(self, type_: type[T]) -> T:
        """The body as a dataclass of your own, or a `permanent` error."""
        try:
            return _shape.read(type_, self.json())
        except _shape.Misfit as misfit:
            raise self._unreadable(str(misfit)) from None

    def _unreadable(self, why: str) -> Error:
        return Error("permanent", f"{self.host} answered something unreadable: {why}")


def get(
    url: str,
    *,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: timedelta | None = None,
) -> Response:
    """Asks for something."""
    return send("GET", url, query=query, headers=headers, timeout=timeout)


def post(
    url: str,
    *,
    json: Any = None,
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
    timeout: timedelta | None = None,
) -> Response:
    """Has something done."""
    return send("POST", url, json=json, body=body, headers=headers, timeout=timeout)


def send(
    method: Method,
    url: str,
    *,
    query: Mapping[str, Any] | None = None,
    json: Any = None,
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
    timeout: timedelta | None = None,
) -> Response:
    """Sends a request now and waits for its answer.

    `query` is added to the address. `json` is the body as JSON. It leaves at
    once, also if the step fails afterwards and is tried again; a request that
    may change something gets an `idempotency-key` that is the same in every
    attempt, unless it has one.
    """
    host = _host.interface("http")
    request = _request(host, method, url, query, json, body, headers, timeout)
    answer = _host.call(host.send, request)
    together: dict[str, str] = {}
    for header in answer.headers:
        name, value = header.name.lower(), header.value
        together[name] = f"{together[name]}, {value}" if name in together else value
    return Response(urlsplit(url).hostname or "", answer.status, together, bytes(answer.body))


def deliver(
    method: Method,
    url: str,
    *,
    query: Mapping[str, Any] | None = None,
    json: Any = None,
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
) -> str:
    """Sends a request after the step has committed, and again until an answer
    below 400 comes: for whoever need not read the answer. Nothing leaves if the
    step fails. Returns the id under which the outbox shows it."""
    host = _host.interface("http")
    request = _request(host, method, url, query, json, body, headers, None)
    id: str = _host.call(host.deliver, request)
    return id


def _request(
    host: Any,
    method: Method,
    url: str,
    query: Mapping[str, Any] | None,
    json: Any,
    body: bytes | str,
    headers: Mapping[str, str] | None,
    timeout: timedelta | None,
) -> Any:
    if query:
        url += ("&" if "?" in url else "?") + urlencode(query)
    lines = [host.Header(name, value) for name, value in (headers or {}).items()]
    if json is not None:
        body = _json.dumps(_shape.write(json), allow_nan=False)
        if not any(line.name.lower() == "content-type" for line in lines):
            lines.append(host.Header("content-type", "application/json"))
    raw = body.encode() if isinstance(body, str) else body
    timeout_ms = None if timeout is None else _host.milliseconds(timeout)
    return host.Request(host.Method[method], url, lines, raw, timeout_ms)
