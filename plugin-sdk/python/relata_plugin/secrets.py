"""Passwords and tokens of web services, which a plugin uses and never sees."""

from . import _host


def placeholder(name: str) -> str:
    """A text that stands for the secret, for this call alone. Put it into the
    address, a header or the body of a request: where the secret may go to that
    host (`[permissions.secrets]` in plugin.toml), it takes the text's place as
    the request leaves; anywhere else the request is refused."""
    host = _host.interface("secrets")
    text: str = _host.call(host.placeholder, name)
    return text
