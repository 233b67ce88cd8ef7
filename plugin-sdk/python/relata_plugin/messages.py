"""Words to people: mail to customers, notices to users.

The host looks up the address, checks consent, quiet hours and caps, renders
the template, and delivers after the step's commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import _host


@dataclass(frozen=True)
class Queued:
    """It will be sent."""

    id: str


@dataclass(frozen=True)
class Suppressed:
    """It will not be sent."""

    reason: str
    """No consent, no address, a duplicate."""


Receipt = Queued | Suppressed
"""What became of a message."""


def send_mail(to: str, template: str, data: Mapping[str, Any] | None = None) -> Receipt:
    """Mails a template to a record with an address: a contact, lead, user or
    account. `data` is what the template may name beside the recipient."""
    host = _host.interface("messages")
    mail = host.Mail(str(to), str(template), _host.json_object(data or {}))
    return _receipt(host, _host.call(host.send_mail, mail))


def notify(to: str, text: str, *, about: str | None = None) -> Receipt:
    """Tells a user something, and links the record that it is about."""
    host = _host.interface("messages")
    notice = host.Notice(str(to), text, None if about is None else str(about))
    return _receipt(host, _host.call(host.notify, notice))


def _receipt(host: Any, receipt: Any) -> Receipt:
    if isinstance(receipt, host.Receipt_Queued):
        return Queued(receipt.value)
    return Suppressed(receipt.value)
