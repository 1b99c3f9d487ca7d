"""Addresses (URLs) that somebody else chose, read in one way, and whether they lead to the public internet.

Such an address may point into our own network ("server-side request forgery"): at a database, a cloud's metadata
service, this very server. What is public is listed, rather than what is private: a range that nobody thought of is then
refused.
"""

import ipaddress
import re
import socket
from unicodedata import normalize
from urllib.parse import quote, urlsplit

from msgspec import Struct

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Parsers disagree about what these mean in an address: the one that fetches it could see another host than we do.
_AMBIGUOUS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\\]")
_HOST = re.compile(r"[0-9a-z._:-]{1,253}", re.ASCII)
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")
_PORTS = {"http": 80, "https": 443}
# Signs that have a meaning in a path or a query, and escapes that are there already.
_KEPT = "/%:@!$&'()*+,;=~?[]|"

# IPv4 that Python calls global, and no server of the public internet has. Sources: the registry of special-purpose
# addresses, https://www.iana.org/assignments/iana-ipv4-special-registry; the last is Azure's way to its own host,
# https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16.
_NOT_PUBLIC_V4 = tuple(
    map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"))
)
# All of IPv6 that is handed out, and what of it is no server's: protocols' own (Teredo among them), documentation,
# 6to4. https://www.iana.org/assignments/iana-ipv6-special-registry
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# Where a translator on the way reaches IPv4 through IPv6 (RFC 6052), as networks without IPv4 do.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Address(Struct, frozen=True):
    """An http or https address. `host` is in ASCII, without brackets; `target` is the path with the query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """`host:port`, the host in brackets where it is IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def read_address(url: str) -> Address:
    """What `url` says, if all who read it understand the same. Raises `ValueError`, also for a user in it."""
    if _AMBIGUOUS.search(url):
        raise ValueError("whitespace or a backslash in an address")
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("no http address, or one with a user")
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    return Address(
        scheme=scheme,
        host=_canonical(parts.hostname),
        port=_PORTS[scheme] if parts.port is None else parts.port,
        target=quote(target, safe=_KEPT),
    )


def _canonical(host: str) -> str:
    """`host` as a resolver gets it: `①②⑦。0。0。1` is 127.0.0.1. Raises `ValueError` for what is no host."""
    if len(host) > 253:
        raise ValueError("too long for a host")
    # The codec knows the dots of IDNA and the characters without a width, but only the digits of an old Unicode.
    name = normalize("NFKC", host).encode("idna").decode("ascii").lower().rstrip(".")
    if not _HOST.fullmatch(name):
        raise ValueError("no host")
    return name


def may_be_public(host: str) -> bool:
    """False for a name or an IP address that is plainly not, in any spelling that a resolver would take (`127.1`,
    `0x7f000001`). Of other names only their resolved addresses tell.
    """
    if host == "localhost" or host.endswith(_LOCAL_NAMES):
        return False
    try:
        return is_public(ipaddress.ip_address(host))
    except ValueError:
        try:
            return is_public(ipaddress.IPv4Address(socket.inet_aton(host)))
        except OSError:
            return True


def is_public(ip: IPAddress) -> bool:
    """Whether `ip` is an address of the public internet; one that wraps an IPv4 address, whether that one is."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not any(ip in network for network in _NOT_PUBLIC_V4)
    if ip.scope_id is not None:
        return False
    if ip.ipv4_mapped is not None:
        return is_public(ip.ipv4_mapped)
    if ip in _NAT64:
        return is_public(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return ip in _PUBLIC_V6 and ip.is_global and not any(ip in network for network in _NOT_PUBLIC_V6)
