"""The port that the server is to listen on."""

import errno
import socket

from core.util.errors import SteerError


def check_port(host: str, port: int) -> None:
    """Make sure that the port is free.

    Raises:
        SteerError: It is not, or the address cannot be listened on.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise SteerError(f"port {port} is in use; choose another one with --port {port + 1}") from error
            raise SteerError(f"cannot listen on {host}:{port}: {error.strerror}") from error
