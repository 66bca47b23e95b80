"""Who may ask: only the page that this server has given out itself.

Every request needs the token, which is the first part of its path. The name that it was sent to must be one of this
machine, so that no foreign name can be pointed at it (DNS rebinding). Another site's page is refused by the headers in
which a browser says where a request comes from, and without headers of CORS it could not read an answer anyway.
"""

import ipaddress
import json
import secrets
import socket
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What goes with every answer."""


class Guard:
    """Lets a request through to an application if it may ask; answers it otherwise.

    The application sees the path without the token.
    """

    def __init__(self, app: ASGIApp, token: str, host: str) -> None:
        """Guard an application.

        Args:
            app: the application.
            token: what paths begin with.
            host: the address that is served.
        """
        self.app = app
        self.token = token.encode()
        self.names = {host, "localhost"} if is_loopback(host) else {host, "localhost", socket.gethostname().lower()}
        self.is_open = not is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        token, _, path = scope["path"].removeprefix("/").partition("/")
        if refusal := self._refusal(scope, token):
            await answer(send_guarded, *refusal)
            return
        try:
            await self.app({**scope, "path": f"/{path}", "raw_path": None, "root_path": ""}, receive, send_guarded)
        except ClientDisconnect:
            pass
        except Exception:
            if not started:
                sentence = "something went wrong; the terminal that the server runs in says what"
                await answer(send_guarded, HTTPStatus.INTERNAL_SERVER_ERROR, sentence)
            raise

    def _refusal(self, scope: Scope, token: str) -> tuple[HTTPStatus, str] | None:
        """Return the status and the sentence that a request is refused with, or None."""
        headers = Headers(scope=scope)
        hosts, origin = headers.getlist("host"), headers.get("origin")
        if len(hosts) != 1 or not self._is_served(hosts[0]):
            return HTTPStatus.MISDIRECTED_REQUEST, "this server is not called by that name"
        if not secrets.compare_digest(token.encode("utf-8", "replace"), self.token):
            return HTTPStatus.FORBIDDEN, "the address lacks the token: open the one that ganfw play has printed"
        if scope["method"] not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, "this server is only asked, by GET"
        site = headers.get("sec-fetch-site", "none")
        opens = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
        if (origin is not None and origin != f"http://{hosts[0]}") or (
            site not in ("none", "same-origin") and not (opens and scope["path"].count("/") == 2)
        ):
            return HTTPStatus.FORBIDDEN, "only the playground's own page may ask"
        return None

    def _is_served(self, host: str) -> bool:
        """Whether a `Host` header names this machine: its own name or an address, of the loopback unless served so."""
        name, _, port = host.rpartition(":")
        if not port.isdecimal():
            name = host
        name = name.strip("[]").lower()
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return self.is_open or address.is_loopback


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def answer(send: Send, status: HTTPStatus, sentence: str) -> None:
    """Send an error: a JSON object of one sentence."""
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
