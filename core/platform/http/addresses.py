"""Addresses of clients: which count as one, and which proxies are believed when they name them."""

import ipaddress
from collections.abc import Sequence

from core.util.errors import SteerError


def subscriber(address: str) -> str:
    """Whom an address counts as: itself, or the 64 bits of an IPv6 address that a provider gives to each customer."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:  # what a listener on `::` sees of a client with IPv4
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))


def checked_proxies(text: str) -> Sequence[str]:
    """The proxies that a setting names.

    Args:
        text: Addresses and networks with commas between them; may be empty.

    Raises:
        SteerError: One is neither.
    """
    proxies = [part.strip() for part in text.split(",") if part.strip()]
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise SteerError(
                f"{proxy!r} is no address of a proxy; write addresses or networks such as 10.0.0.2,172.16.0.0/12: "
                "whoever is trusted can make up where a request came from"
            ) from error
    return proxies
