"""Serve the playground until Ctrl-C."""

import ipaddress
import os
import secrets
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from ganfw.errors import InputError
from ganfw.play.runs import PlayedRun

if TYPE_CHECKING:
    from uvicorn import Server

MAX_CONNECTIONS = 64
MAX_HEADER_BYTES = 16_384


@frozen(eq=False)
class Playground:
    """A server that listens.

    Attributes:
        address: of the page, with the token.
    """

    address: str
    _server: "Server"
    _listener: socket.socket

    def serve(self) -> None:
        """Answer requests until the process is interrupted, or `stop` is called."""
        self._server.run(sockets=[self._listener])

    def stop(self) -> None:
        """Let `serve` return soon."""
        self._server.should_exit = True


def open_playground(runs: Sequence[PlayedRun], host: str = "127.0.0.1", port: int = 0) -> Playground:
    """Listen at an address.

    Args:
        runs: one or two.
        host: the address to listen at.
        port: the port; 0 for a free one.

    Raises:
        InputError: the packages of a web server are missing, or the address cannot be listened at.
    """
    try:
        import uvicorn

        from ganfw.play.app import create_app
        from ganfw.play.guard import Guard
    except ImportError as error:
        raise InputError(f"the playground needs a web server ({error}): pip install 'ganfw[play]'") from None
    token = secrets.token_urlsafe(24)
    listener = _listen(host, port)
    config = uvicorn.Config(
        Guard(create_app(runs), token, host),
        http="h11",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=1,
    )
    address = f"http://{_shown(host)}:{listener.getsockname()[1]}/{token}/"
    return Playground(address, uvicorn.Server(config), listener)


def _listen(host: str, port: int) -> socket.socket:
    # Not socket.create_server: asyncio turns Nagle's algorithm off, which would hold answers back for 40 ms, only for
    # sockets whose protocol is named.
    listener = None
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(MAX_CONNECTIONS)
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{host}, port {port}: cannot be listened at: {reason}; choose --host or --port") from None
    return listener


def _shown(host: str) -> str:
    """Return an address as it stands in a URL: that of this machine where all are listened on."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return socket.gethostname()
    return f"[{host}]" if address.version == 6 else host
