"""Fetching what somebody else chose: real servers on the loopback, and a canary there that must not be touched."""

import asyncio
import datetime
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import connections as connecting
from gateway.addresses import is_public, may_be_public, read_address
from gateway.fetch import AddressRefused, ChosenBy, FetchError, Posted, fetch, post, stream

PUBLIC = "93.184.215.14"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 5\r\n\r\nhello"


def redirect(location: str, status: int = 302) -> bytes:
    return b"HTTP/1.1 %d Found\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n" % (status, location.encode("latin-1"))


class Server:
    """Answers each path with the bytes under its name; a function gets the writer. Keeps the requests it got."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]] = {"/": OK}
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.port = 0

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.authority}{path}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                if length := re.search(r"content-length: (\d+)", head.lower()):
                    self.bodies.append(await reader.readexactly(int(length[1])))
                answer = self.answers[head.split(" ")[1]]
                if callable(answer):
                    await answer(writer)
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open -= 1
            writer.close()


async def start(server: Server, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> asyncio.Server:
    listening = await asyncio.start_server(server.talk, host, 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    return listening


@pytest.fixture
async def server(settings) -> AsyncIterator[Server]:
    """A server that may be fetched from although it is private."""
    server = Server()
    listening = await start(server)
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [server.authority]
    yield server
    listening.close()


@pytest.fixture
async def canary() -> AsyncIterator[Server]:
    """A server inside our network: nobody may reach it from outside. It must see no connection at all."""
    canary = Server()
    listening = await start(canary)
    yield canary
    await asyncio.sleep(0)
    assert canary.connections == 0
    listening.close()


@pytest.fixture
def names(monkeypatch) -> dict[str, list[list[str]]]:
    """What names resolve to, the first time, the second time and so on; the last stays. Asked for: `asked`."""
    answers: dict[str, list[list[str]]] = {}

    async def resolve(host: str, chosen_by: ChosenBy) -> list[str]:
        answers.setdefault("asked", []).append([host])
        if host not in answers:
            return [host]
        found = answers[host]
        return found.pop(0) if len(found) > 1 else found[0]

    monkeypatch.setattr(connecting, "resolve", resolve)
    return answers


@pytest.fixture
def dialled(monkeypatch) -> list[str]:
    """The addresses that were connected to. Nobody answers at those that are not of this machine."""
    addresses: list[str] = []
    dial = connecting.dial

    async def dial_here(address: str, port: int) -> Any:
        addresses.append(address)
        if address != "127.0.0.1":
            raise OSError("the network is off")
        return await dial(address, port)

    monkeypatch.setattr(connecting, "dial", dial_here)
    return addresses


async def get(url: str, *, max_bytes: int = 1_000_000, seconds: float = 10) -> bytes:
    return (await fetch(url, max_bytes=max_bytes, seconds=seconds, chosen_by=ChosenBy.PROVIDER)).data


# --- Addresses -----------------------------------------------------------------------------------------------------

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.1", "192.0.0.192"),
    *("192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "::1", "::", "fe80::1"),
    *("fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "5f00::1", "2001:db8::1", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "3fff::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1"),
    *("::ffff:7f00:1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8"),
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::", "2002:808:808::", "2001:0:0:0:0:0:80ff:fffe"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2",),
]
# Other spellings that resolvers take.
SPELLED = [
    *("127.1", "0", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "00.0.0.0"),
    *("0xa9fea9fe", "2852039166", "127.0.1", "10.1"),
]


@pytest.mark.parametrize("host", PRIVATE + SPELLED)
async def test_no_private_address_is_connected_to_in_any_spelling(host, canary, dialled) -> None:
    shown = f"[{host}]" if ":" in host else host
    for scheme in ("https", "http"):
        with pytest.raises(AddressRefused):
            await get(f"{scheme}://{shown}:{canary.port}/")
    assert not may_be_public(host)
    assert dialled == []


@pytest.mark.parametrize("host", PRIVATE)
async def test_a_name_of_a_private_address_is_not_connected_to(host, names, dialled) -> None:
    assert not is_public(ipaddress.ip_address(host))
    names["pictures.example"] = [[host]]
    with pytest.raises(AddressRefused):
        await get("https://pictures.example/")
    names["pictures.example"] = [[PUBLIC, host]]  # one bad one is enough
    with pytest.raises(AddressRefused):
        await get("https://pictures.example/")
    assert dialled == []


@pytest.mark.parametrize("host", ["8.8.8.8", PUBLIC, "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
async def test_a_public_address_is_connected_to(host, names, dialled) -> None:
    names["pictures.example"] = [[host]]
    with pytest.raises(FetchError, match="connection to its server failed"):
        await get("https://pictures.example/")
    assert dialled == [host]


@pytest.mark.parametrize(
    "url",
    [
        "http://pictures.example/",
        "ftp://pictures.example/",
        "file:///etc/passwd",
        "gopher://pictures.example/",
        "data:image/png;base64,AAAA",
        "//pictures.example/",
        "pictures.example",
        "",
        "https://",
        "https:///a.png",
        "https://user@pictures.example/",
        "https://user:secret@pictures.example/",
        "https://@pictures.example/",
        "https://pictures.example:port/",
        "https://pictures.example:99999/",
        "https://pictures.example/a b",
        "https://pictures.example/\r\nhost: other",
        "https://pictures.example\\@127.0.0.1/",
        "https://127.0.0.1\\.pictures.example/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://①②⑦.⓪.⓪.①/",
        "https://127。0。0。1/",
        "https://a..b/",
    ],
)
async def test_what_is_no_plain_https_address_is_not_even_resolved(url, names, dialled) -> None:
    names["pictures.example"] = [[PUBLIC]]
    with pytest.raises(AddressRefused):
        await get(url)
    assert "asked" not in names
    assert dialled == []


@pytest.mark.parametrize("port", [22, 80, 3306, 6443, 9200])
async def test_a_client_may_not_look_through_ports(server, port, names, dialled) -> None:
    names["pictures.example"] = [[PUBLIC]]
    server.answers["/"] = redirect(f"https://pictures.example:{port}/")
    for url in (f"https://pictures.example:{port}/", server.url()):
        with pytest.raises(AddressRefused, match="443, 8443"):
            await fetch(url, max_bytes=100, seconds=10)
    assert PUBLIC not in dialled
    # A provider's results are where it says.
    with pytest.raises(FetchError, match="connection to its server failed"):
        await get(f"https://pictures.example:{port}/")
    assert PUBLIC in dialled


@pytest.mark.parametrize("authority", ["pictures.example", "pictures.example:443", "pictures.example:8443"])
async def test_a_client_may_name_the_ports_of_https(authority, names, dialled) -> None:
    names["pictures.example"] = [[PUBLIC]]
    with pytest.raises(FetchError, match="connection to its server failed"):
        await fetch(f"https://{authority}/", max_bytes=100, seconds=10)
    assert dialled == [PUBLIC]


async def test_an_unknown_name_and_a_private_one_are_told_alike(names, monkeypatch) -> None:
    names["private.example"] = [["10.0.0.1"]]
    with pytest.raises(AddressRefused) as private:
        await get("https://private.example/")

    async def unknown(host: str, chosen_by: ChosenBy) -> list[str]:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(connecting, "resolve", unknown)
    with pytest.raises(AddressRefused) as nowhere:
        await get("https://nowhere.example/")
    assert str(private.value) == str(nowhere.value)


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://example.com", "example.com", 443, "/"),
        ("HTTPS://EXAMPLE.com.:8443/a?b=c#d", "example.com", 8443, "/a?b=c"),
        ("https://bücher.example/ä%20b", "xn--bcher-kva.example", 443, "/%C3%A4%20b"),
        ("https://example.com/a%2Fb?x=%20&y=[1]|2", "example.com", 443, "/a%2Fb?x=%20&y=[1]|2"),
        ("http://[2606:4700:4700::1111]:8080/", "2606:4700:4700::1111", 8080, "/"),
    ],
)
def test_an_address_is_read(url, host, port, target) -> None:
    address = read_address(url)
    assert (address.host, address.port, address.target) == (host, port, target)


# --- Rebinding and redirects ---------------------------------------------------------------------------------------


async def test_a_name_that_turns_private_after_it_was_checked_leads_nowhere(canary, names, dialled) -> None:
    names["rebound.example"] = [[PUBLIC], ["127.0.0.1"]]
    with pytest.raises(FetchError):
        await get(f"https://rebound.example:{canary.port}/")
    assert names["asked"] == [["rebound.example"]]
    assert dialled == [PUBLIC]


async def test_a_name_that_turns_private_between_redirects_is_refused(canary, settings, certificates, names) -> None:
    """The first visit goes to a server that sends back to its own name, which is another address by then."""
    server = Server()
    listening = await start(server, context=certificates("rebound.example"))
    server.answers["/"] = redirect(f"https://rebound.example:{canary.port}/")
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"rebound.example:{server.port}"]
    names["rebound.example"] = [["127.0.0.1"], ["127.0.0.1"]]
    with pytest.raises(AddressRefused):
        await get(f"https://rebound.example:{server.port}/")
    assert len(names["asked"]) == 2
    listening.close()


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "https://localhost:{port}/",
        "https://2130706433:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://private.example:{port}/",
        "//127.0.0.1:{port}/",
        "file:///etc/passwd",
        "https://user@pictures.example/",
        "http://pictures.example/",
        "https://[::1",
        "https://bücher.example\\@127.0.0.1:{port}/",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_checked_like_the_first_address(server, canary, names, location, status) -> None:
    names |= {"private.example": [["127.0.0.1"]], "pictures.example": [[PUBLIC]]}
    server.answers["/"] = redirect(location.format(port=canary.port), status)
    with pytest.raises(AddressRefused):
        await get(server.url())


async def test_three_redirects_are_followed_and_a_fourth_is_not(server) -> None:
    server.answers |= {f"/{number}": redirect(f"{number + 1}") for number in range(1, 5)}
    server.answers |= {"/4": OK}
    assert await get(server.url("/1")) == b"hello"
    server.answers |= {"/0": redirect("/1")}
    with pytest.raises(FetchError, match="more than 3 times"):
        await get(server.url("/0"))
    assert len(server.heads) == 4 + 4


# --- Headers that are for one server -------------------------------------------------------------------------------

KEY = [(b"x-goog-api-key", b"s3cret")]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_header_goes_to_no_other_origin_after_a_redirect(server, settings, host) -> None:
    """Another name, or another port of the same one; and nothing comes back with what another server chose."""
    other = Server()
    listening = await start(other)
    settings.FETCH_ALLOWED_PRIVATE_HOSTS += [f"{host}:{other.port}"]
    server.answers |= {"/": redirect("/file"), "/file": redirect(f"http://{host}:{other.port}/"), "/back": OK}
    other.answers["/"] = redirect(server.url("/back"))
    got = await fetch(server.url(), max_bytes=5, seconds=10, chosen_by=ChosenBy.PROVIDER, headers=KEY)
    assert got.data == b"hello"
    assert ["s3cret" in head for head in server.heads] == [True, True, False]
    assert ["s3cret" in head for head in other.heads] == [False]
    listening.close()


async def test_a_header_goes_to_no_other_scheme(server, settings, certificates) -> None:
    secure = Server()
    listening = await start(secure, context=certificates("localhost"))
    settings.FETCH_ALLOWED_PRIVATE_HOSTS += [f"localhost:{secure.port}"]
    secure.answers["/"] = redirect(server.url())
    async with stream(f"https://localhost:{secure.port}/", max_bytes=5, seconds=10, headers=KEY) as (mime, _):
        assert mime == "image/png"
    assert "x-goog-api-key: s3cret\r\n" in secure.heads[0].lower()
    assert "s3cret" not in server.heads[0]
    listening.close()


async def test_a_header_that_would_be_two_is_not_sent(server) -> None:
    with pytest.raises(FetchError):
        await fetch(server.url(), max_bytes=5, seconds=10, headers=[(b"x-key", b"a\r\nx-other: b")])
    assert server.heads == []


# --- Posting -------------------------------------------------------------------------------------------------------


async def send(url: str, *, seconds: float = 10) -> Posted:
    return await post(url, b'{"id": 1}', headers=[(b"content-type", b"application/json")], seconds=seconds)


async def test_a_body_is_posted_and_the_answer_told(server) -> None:
    server.answers["/hook?a=b"] = b"HTTP/1.1 422 No\r\ncontent-length: 5\r\n\r\nsorry"
    assert await send(server.url("/hook?a=b")) == Posted(422, b"sorry")
    assert server.heads[0].startswith("POST /hook?a=b HTTP/1.1\r\n")
    assert "content-type: application/json\r\n" in server.heads[0].lower()
    assert server.bodies == [b'{"id": 1}']


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_of_a_post_is_not_followed(server, canary, status) -> None:
    server.answers["/"] = redirect(f"http://127.0.0.1:{canary.port}/", status)
    assert await send(server.url()) == Posted(status, b"")
    assert len(server.heads) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "private.example"])
async def test_nothing_is_posted_to_a_private_address(canary, names, host) -> None:
    names["private.example"] = [["127.0.0.1"]]
    for scheme in ("https", "http"):
        with pytest.raises(AddressRefused):
            await send(f"{scheme}://{host}:{canary.port}/")
    with pytest.raises(AddressRefused):
        await send("https://private.example/")


async def test_a_post_goes_to_the_address_that_was_checked_and_to_a_port_of_https(names, dialled) -> None:
    names["rebound.example"] = [[PUBLIC], ["127.0.0.1"]]
    with pytest.raises(AddressRefused, match="443, 8443"):
        await send("https://rebound.example:5432/")
    with pytest.raises(FetchError, match="connection to its server failed"):
        await send("https://rebound.example/")
    assert names["asked"] == [["rebound.example"]]
    assert dialled == [PUBLIC]


async def test_of_an_answer_without_end_the_beginning_is_kept(server) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 0x10000)
            await writer.drain()

    server.answers["/"] = endless
    assert await send(server.url()) == Posted(200, b"x" * 4096)
    await until(lambda: server.open == 0)


@pytest.mark.parametrize("seconds_of_silence", [0, 60])
async def test_an_answer_that_breaks_off_after_its_status_is_one(server, seconds_of_silence) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhel")
        await asyncio.sleep(seconds_of_silence)

    server.answers["/"] = cut
    assert await send(server.url(), seconds=0.2) == Posted(200, b"hel")


async def test_who_never_answers_a_post_is_an_error(server) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def gone(writer: asyncio.StreamWriter) -> None:
        return

    server.answers |= {"/silent": silent, "/gone": gone}
    with pytest.raises(FetchError, match=r"within 0\.2 seconds"):
        await send(server.url("/silent"), seconds=0.2)
    with pytest.raises(FetchError, match="connection to its server failed"):
        await send(server.url("/gone"))


# --- Private hosts that are allowed --------------------------------------------------------------------------------


async def test_an_allowed_private_host_is_fetched_from_by_plain_http(server) -> None:
    got = await fetch(server.url("/"), max_bytes=5, seconds=10)
    assert (got.data, got.mime) == (b"hello", "image/png")
    head = server.heads[0].lower()
    assert f"host: {server.authority}\r\n" in head
    assert "accept-encoding: identity\r\n" in head
    assert "authorization" not in head
    assert "cookie" not in head


async def test_only_that_port_and_only_that_name_is_allowed(server, canary, names) -> None:
    names["also.example"] = [["127.0.0.1"]]
    for url in (f"http://127.0.0.1:{canary.port}/", f"http://localhost:{server.port}/", "https://also.example/"):
        with pytest.raises(AddressRefused):
            await get(url)
    assert server.connections == 0


async def test_an_allowed_host_may_have_an_address_that_does_not_answer(server, settings, names, dialled) -> None:
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"storage.example:{server.port}"]
    names["storage.example"] = [["2606:4700:4700::1111", "127.0.0.1"]]
    assert await get(f"http://storage.example:{server.port}/") == b"hello"
    assert dialled == ["2606:4700:4700::1111", "127.0.0.1"]


async def test_ipv6_is_written_in_brackets(settings) -> None:
    server = Server()
    try:
        listening = await start(server, "::1")
    except OSError:
        return  # a machine without IPv6 has nothing to connect to
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"[::1]:{server.port}"]
    assert await get(f"http://[::1]:{server.port}/") == b"hello"
    assert f"host: [::1]:{server.port}\r\n" in server.heads[0].lower()
    listening.close()


# --- TLS -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificates(monkeypatch, tmp_path) -> Callable[[str], ssl.SSLContext]:
    """Makes servers' contexts whose certificates are for a name, by an authority that we trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    context = ssl.create_default_context()

    def make(name: str) -> ssl.SSLContext:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        context.load_verify_locations(cadata=pem.decode())
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = tmp_path / f"{name}.pem"
        file.write_bytes(secret + pem)
        serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving.load_cert_chain(file)
        return serving

    monkeypatch.setattr(connecting, "tls_context", lambda: context)
    return make


async def test_the_certificate_has_to_be_for_the_name(certificates, settings, names) -> None:
    server = Server()
    listening = await start(server, context=certificates("pictures.example"))
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"{name}.example:{server.port}" for name in ("pictures", "other")]
    names |= {"pictures.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    assert await get(f"https://pictures.example:{server.port}/") == b"hello"
    with pytest.raises(FetchError, match="connection to its server failed"):
        await get(f"https://other.example:{server.port}/")
    with pytest.raises(FetchError):
        await get(f"https://127.0.0.1:{server.port}/")
    assert len(server.heads) == 1
    listening.close()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_large_body_comes_through_tls_on_either_event_loop(certificates, settings, names, loop) -> None:
    body = b"0123456789abcdef" * (1 << 18)
    names["pictures.example"] = [["127.0.0.1"]]

    async def fetched() -> bytes:
        server = Server()
        server.answers["/"] = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        listening = await start(server, context=certificates("pictures.example"))
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"pictures.example:{server.port}"]
        try:
            return await get(f"https://pictures.example:{server.port}/", max_bytes=len(body))
        finally:
            listening.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(fetched()) == body


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_slow_reader_slows_the_sender_down(settings, loop) -> None:
    """Else a result would be in memory as a whole, however it is stored."""
    written = 0

    async def send(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            written += 100_000

    async def read_a_little() -> int:
        server = Server()
        server.answers["/"] = send
        listening = await start(server)
        settings.FETCH_ALLOWED_PRIVATE_HOSTS = [server.authority]
        async with stream(server.url(), max_bytes=1 << 30, seconds=10) as (_, pieces):
            await anext(pieces)
            seen = -1
            while seen != written:
                seen = written
                await asyncio.sleep(0.1)
        listening.close()
        return written

    with asyncio.Runner(loop_factory=loop) as runner:
        # Most of it waits in the kernel, on either side.
        assert runner.run(read_a_little()) < 20_000_000


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificates, settings, names, monkeypatch) -> None:
    server = Server()
    listening = await start(server, context=certificates("pictures.example"))
    monkeypatch.undo()
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"localhost:{server.port}"]
    with pytest.raises(FetchError, match="connection to its server failed"):
        await get(f"https://localhost:{server.port}/")
    assert server.heads == []
    listening.close()


# --- Limits --------------------------------------------------------------------------------------------------------


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + body + (b"0\r\n\r\n" if end else b"")


async def test_a_body_of_the_most_bytes_comes_and_of_one_more_does_not(server) -> None:
    async def until_close(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello")

    server.answers |= {"/chunked": chunked(b"hel", b"lo"), "/close": until_close}
    for path in ("/", "/chunked", "/close"):
        assert await get(server.url(path), max_bytes=5) == b"hello"
        with pytest.raises(FetchError, match="more than"):
            await get(server.url(path), max_bytes=4)


async def test_a_body_without_end_is_left_at_the_limit(server) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(chunked(end=False))
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            sent += 0x10000
            await writer.drain()

    server.answers["/"] = endless
    with pytest.raises(FetchError, match="more than 1 MB"):
        await get(server.url(), max_bytes=1 << 20)
    await until(lambda: server.open == 0)
    assert sent < 32 << 20


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhell"])
async def test_what_does_not_come_in_time_is_given_up(server, head) -> None:
    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await asyncio.sleep(60)

    server.answers["/"] = stall
    with pytest.raises(FetchError, match=r"within 0\.2 seconds"):
        await get(server.url(), seconds=0.2)


async def test_drops_do_not_add_up_to_more_time(server) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(40):
            writer.write(b"x")
            await asyncio.sleep(0.02)

    server.answers["/"] = drip
    with pytest.raises(FetchError, match=r"within 0\.3 seconds"):
        await get(server.url(), seconds=0.3)
    await until(lambda: server.open == 0)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP, gzip", "zstd"])
async def test_a_compressed_body_is_refused(server, encoding) -> None:
    server.answers["/"] = OK.replace(b"content-type", b"content-encoding: %b\r\ncontent-type" % encoding.encode())
    with pytest.raises(FetchError, match="compresses"):
        await get(server.url())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\ncontent-length: 6\r\n\r\nsecret",
        b"HTTP/1.1 206 Partial\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_an_error_that_repeats_nothing(server, answer) -> None:
    server.answers["/"] = answer
    with pytest.raises(FetchError) as failure:
        await get(server.url())
    assert "secret" not in str(failure.value)


async def test_a_body_that_is_cut_off_is_an_error(server) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello")

    server.answers["/"] = cut
    with pytest.raises(FetchError, match="connection to its server failed"):
        await get(server.url())


async def test_nobody_there_is_an_error(server, settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings.FETCH_ALLOWED_PRIVATE_HOSTS = [f"127.0.0.1:{port}"]
    with pytest.raises(FetchError, match="connection to its server failed"):
        await get(f"http://127.0.0.1:{port}/")


# --- Streams -------------------------------------------------------------------------------------------------------


async def test_a_stream_comes_in_pieces_while_it_is_sent(server) -> None:
    seen = asyncio.Event()

    async def in_two(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await seen.wait()
        writer.write(b"world")

    server.answers["/"] = in_two
    received = []
    async with stream(server.url(), max_bytes=100, seconds=10) as (_, pieces):
        async for piece in pieces:
            received.append(piece)
            seen.set()
    assert received == [b"hello", b"world"]


@pytest.mark.parametrize("error", [OSError("the disk is full"), TimeoutError("slow"), ValueError("bad")])
async def test_an_error_of_whoever_reads_stays_their_own(server, error) -> None:
    async def read() -> None:
        async with stream(server.url(), max_bytes=100, seconds=10) as (_, pieces):
            await anext(pieces)
            raise error

    with pytest.raises(type(error)) as caught:
        await read()
    assert caught.value is error
    await until(lambda: server.open == 0)


async def test_a_reader_who_leaves_closes_the_connection(server) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0)

    server.answers["/"] = endless
    async with stream(server.url(), max_bytes=1 << 30, seconds=10) as (_, pieces):
        await anext(pieces)
    await until(lambda: server.open == 0)


async def test_names_are_resolved_by_the_system() -> None:
    assert set(await connecting.resolve("localhost", ChosenBy.CLIENT)) <= {"127.0.0.1", "::1"}
    assert await connecting.resolve("2130706433", ChosenBy.CLIENT) == ["127.0.0.1"]


async def test_names_of_clients_keep_no_providers_names_waiting(monkeypatch) -> None:
    release, look_up = threading.Event(), socket.getaddrinfo

    def slow(host: str, *args: Any, **kwargs: Any) -> Any:
        if host.endswith(".slow.example"):
            release.wait(20)
            raise socket.gaierror("unknown")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    waiting = [asyncio.create_task(connecting.resolve(f"{n}.slow.example", ChosenBy.CLIENT)) for n in range(40)]
    try:
        await asyncio.sleep(0)
        assert await connecting.resolve("127.0.0.1", ChosenBy.PROVIDER) == ["127.0.0.1"]
        assert not any(task.done() for task in waiting)
    finally:
        release.set()
        await asyncio.gather(*waiting, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not become true within 10 seconds")
