"""Fetches documents of the web: bounded in size, time and redirects, and from no address of the own network."""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from ssl import SSLContext

import httpx

from core.util.errors import SteerError, UnavailableError

MOST_BYTES = 5_000_000
_MOST_REDIRECTS = 5
_SECONDS, _CONNECT_SECONDS = 30, 5
_NOT_MODIFIED = 304
# IPv6 that stands for an IPv4 address behind a translator.
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Document:
    """What an address answered.

    Attributes:
        body: Content; None where it has not changed since.
        headers: Headers of the answer.
    """

    body: bytes | None
    headers: Mapping[str, str]


def fetch(url: str, headers: Mapping[str, str] | None = None, *, allow_private: bool = False) -> Document:
    """Get a document.

    The name of each address on the way is looked up once, and the connection goes to what was looked up and checked: a
    name that turns private meanwhile leads nowhere. Proxies of the environment are not used, since they look names up
    anew.

    Args:
        url: Address, of http or https.
        headers: Further headers of the request.
        allow_private: Whether the address, and what it redirects to, may be of the own network.

    Raises:
        UnavailableError: It does not answer, or with an error; the same request may succeed later.
        SteerError: The address, what it redirects to, or what it answers is not acceptable.
    """
    try:
        return asyncio.run(asyncio.wait_for(_follow(_url(url), headers or {}, allow_private), _SECONDS))
    except TimeoutError as error:
        raise UnavailableError(f"{_host(url)} took more than {_SECONDS} seconds") from error
    except httpx.HTTPError as error:
        raise UnavailableError(f"{_host(url)} does not answer: {error or type(error).__name__}") from error


async def _follow(url: httpx.URL, headers: Mapping[str, str], allow_private: bool) -> Document:
    # A connection that is kept would serve another host of the same address unchecked.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(verify=_certificates(), trust_env=False, limits=limits) as client:
        for _ in range(_MOST_REDIRECTS + 1):
            response = await _ask(client, url, headers, await _addresses(url, allow_private))
            try:
                if not response.has_redirect_location:
                    return Document(await _body(url, response), response.headers)
                url = _url(response.headers["location"], url)
            finally:
                await response.aclose()
    raise SteerError(f"{url.host} redirects more than {_MOST_REDIRECTS} times")


def _url(address: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        url = base.join(address) if base else httpx.URL(address)
    except httpx.InvalidURL as error:
        raise SteerError(f"{address[:200]!r} is no address: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        whose = f"{base.host} redirects to {address[:200]!r}, which" if base else repr(address[:200])
        raise SteerError(f"{whose} is no address of http or https")
    return url


async def _addresses(url: httpx.URL, allow_private: bool) -> list[str]:
    """Addresses that the name stands for, all of them checked."""
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(_ascii(url), url.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise UnavailableError(f"the name {url.host} is not known") from error
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
    if not allow_private and not all(map(is_public, addresses)):
        raise SteerError(
            f"{url.host} is an address of the own network ({', '.join(addresses)}); if that is meant, "
            "say `allow_private: true`"
        )
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public network, and no other way to write one that is not."""
    ip: IPv4Address | IPv6Address | None = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            ip = IPv4Address(int(ip) & 0xFFFF_FFFF)
        elif ip.teredo or ip.sixtofour or ip.is_site_local:
            return False
        else:
            ip = ip.ipv4_mapped or ip
    return ip is not None and ip.is_global and not ip.is_multicast


async def _ask(
    client: httpx.AsyncClient, url: httpx.URL, headers: Mapping[str, str], addresses: list[str]
) -> httpx.Response:
    # What is packed small may be endless when it is unpacked.
    sent = {"User-Agent": "Steer", "Accept-Encoding": "identity", **headers, "Host": url.netloc.decode("ascii")}
    for at, address in enumerate(addresses, start=1):
        request = client.build_request(
            "GET",
            url.copy_with(host=address),
            headers=sent,
            extensions={
                "sni_hostname": _ascii(url),
                "timeout": {"connect": _CONNECT_SECONDS, "read": _SECONDS, "write": _SECONDS, "pool": _SECONDS},
            },
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if at == len(addresses):
                raise
    raise UnavailableError(f"the name {url.host} has no address")


async def _body(url: httpx.URL, response: httpx.Response) -> bytes | None:
    if response.status_code == _NOT_MODIFIED:
        return None
    if not response.is_success:
        raise UnavailableError(f"{url.host} answers {response.status_code} {response.reason_phrase}".rstrip())
    if response.headers.get("content-encoding", "identity") != "identity":
        raise SteerError(f"{url.host} answers in a packed form that was not asked for")
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MOST_BYTES:
            raise SteerError(f"{url.host} answers more than {MOST_BYTES // 1_000_000} MB")
    return bytes(body)


@cache
def _certificates() -> SSLContext:
    return httpx.create_ssl_context()


def _ascii(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii")


def _host(url: str) -> str:
    return httpx.URL(url).host
