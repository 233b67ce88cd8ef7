"""A mail server for the tests: aiosmtpd, with answers that depend on the
recipient, and one line of JSON on standard output for every mail it took.

    receiver.py [--tls CERTIFICATE KEY] [--starttls CERTIFICATE KEY] [--login USER PASSWORD]
"""

import argparse
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def say(**line):
    print(json.dumps(line), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        user = address.split("@")[0]
        if user == "nobody":
            return "550 5.1.1 no such mailbox"
        if user == "full":
            return "452 4.2.2 the mailbox is full"
        if user == "breaks":
            server.transport.abort()
            return "250 OK"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        user = envelope.rcpt_tos[0].split("@")[0]
        if user == "vanishes":
            server.transport.abort()
            return "250 OK"
        if user == "spam":
            return "554 5.7.1 this looks like spam"
        if user == "busy":
            return "451 4.3.0 come back later"
        say(
            mail_from=envelope.mail_from,
            to=envelope.rcpt_tos,
            data=envelope.content.decode(),
            tls=session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            login=session.auth_data.login.decode() if session.auth_data else None,
            connection=session.peer[1],
        )
        return "250 OK: taken"


def context(files):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(files[0], files[1])
    return made


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--starttls", nargs=2)
    parser.add_argument("--login", nargs=2)
    arguments = parser.parse_args()

    settings = {"hostname": "receiver.test"}
    if arguments.starttls:
        settings["tls_context"] = context(arguments.starttls)
        settings["require_starttls"] = True
    if arguments.login:

        def authenticator(server, session, envelope, mechanism, data):
            right = [data.login.decode(), data.password.decode()] == arguments.login
            return AuthResult(success=right, handled=False, auth_data=data)

        settings["authenticator"] = authenticator
        settings["auth_required"] = True
        settings["auth_require_tls"] = bool(arguments.starttls)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), loop=loop, **settings),
        "127.0.0.1",
        0,
        ssl=context(arguments.tls) if arguments.tls else None,
    )
    say(port=server.sockets[0].getsockname()[1])
    # Ends when the test closes its end, also if the test was killed.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
