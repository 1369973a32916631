"""The edge under attack: two readings of one request, bodies without end, connections that never finish."""

from __future__ import annotations

import json
import os
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.checks.wire import Wire, statuses
from tests.load.measuring import percentile

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
INNER = b"GET /smuggled-%d HTTP/1.1\r\nHost: localhost\r\nX-Ignore: "
SLOW = int(os.environ.get("TONGBAN_SLOW", "120"))  # connections; the full form of check 37 takes 500
LIMIT = 64 << 20


def ambiguous(inner):
    """(name, head lines, body): requests whose end two readers may see at different places; `inner` hides behind."""
    chunked, length = b"0\r\n\r\n" + inner, str(len(inner)).encode()
    yield "CL.TE", [b"Content-Length: %d" % len(chunked), b"Transfer-Encoding: chunked"], chunked
    yield (
        "TE.CL",
        [b"Transfer-Encoding: chunked", b"Content-Length: 4"],
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner),
    )
    for number, line in enumerate([
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked", b" Transfer-Encoding: chunked", b"X: a\r\n Transfer-Encoding: chunked",
        b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\x00", b"Transfer_Encoding: chunked", b"X: a\nTransfer-Encoding: chunked",
        b"Transfer-Encoding\x00: chunked", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: Chunked", b"X: a\rTransfer-Encoding: chunked",
    ]):  # fmt: skip
        yield f"TE.TE {number}", [b"Content-Length: %d" % len(chunked), line], chunked
    for number, line in enumerate([
        b"Content-Length: 0\r\nContent-Length: " + length, b"Content-Length: " + length + b"\r\nContent-Length: 0", b"Content-Length: 0, " + length,
        b"Content-Length: +0", b"Content-Length: -1", b"Content-Length: 0x0", b"Content-Length: 00000000000", b"Content-Length: 1e0",
        b"Content-Length: 99999999999999999999", b"Content-Length : 0", b"Content-Length:\r\n 0", b"Content_Length: " + length, b"Content-Length:",
    ]):  # fmt: skip
        yield f"CL.CL {number}", [line], inner
    for number, body in enumerate([
        b"0\n\n" + inner, b"0x0\r\n\r\n" + inner, b"-0\r\n\r\n" + inner, b"fffffffffffffffff0\r\n" + inner, b'1;a="\r\n\r\nx\r\n0\r\n\r\n' + inner,
        b"1\r\nxx\r\n0\r\n\r\n" + inner, b"0\r\nX: a\r\nContent-Length: 5\r\n\r\n" + inner, b"\r\n0\r\n\r\n" + inner, b"1 \r\nx\r\n0\r\n\r\n" + inner,
        b"1\r\nx\n0\r\n\r\n" + inner, b"0_0\r\n\r\n" + inner,
    ]):  # fmt: skip
        yield f"chunk {number}", [b"Transfer-Encoding: chunked"], body
    yield "HTTP/1.0 chunked", [b"Transfer-Encoding: chunked", b"Connection: keep-alive"], chunked
    yield "Expect", [b"Expect: 100-continue", b"Content-Length: 0", b"Expect: x"], inner
    yield "Connection names it", [b"Connection: Content-Length", b"Content-Length: 0"], inner


@pytest.fixture(scope="module")
def doors(stack, browsers):
    """Upstream → (host, path, cookie, what an innocent reader gets there)."""
    clerk = browsers("fgw.wenshu")
    session = f"__Host-tongban={clerk.cookie('__Host-tongban')}"
    app = f"headersite.{stack.env['TONGBAN_APPS_DOMAIN']}"
    clerk.follow(clerk.get(f"https://{app}/"))
    entry = next(
        (
            c.value
            for c in clerk.http.cookies.jar
            if c.name == "__Host-tongban-app" and "headersite" in c.domain
        ),
        "",
    )
    found = {
        "gateway (gunicorn)": ("", "/auth/me", session), "pages (gunicorn)": ("", "/tasks/", session), "stream (uvicorn)": ("", "/stream/x", ""),
        "Keycloak": ("", "/id/realms/tongban/", ""), "sample (legacy site)": (app, "/", f"__Host-tongban-app={entry}"),
    }  # fmt: skip
    return {name: (*door, innocent(stack, *door)) for name, door in found.items()}


def innocent(stack, host, path, cookie):
    """The status that a harmless request gets."""
    wire = Wire(stack.url, stack.ca, host=host)
    lines = [f"GET {path} HTTP/1.1", f"Host: {wire.host}", "Connection: close"] + (
        [f"Cookie: {cookie}"] if cookie else []
    )
    wire.send(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = wire.all(10)
    wire.close()
    return statuses(answer)[:1], b"smuggled" in answer


def test_every_request_has_one_end(stack, doors):
    """# check 36: each ambiguity at each upstream, over HTTP/1.1; afterwards innocent readers get what they always got."""
    assert doors["pages (gunicorn)"][3][0] == [200]
    with ThreadPoolExecutor(len(doors)) as pool:
        found = list(pool.map(lambda upstream: attacked(stack, upstream, *doors[upstream]), doors))
    wrong = [one for _, _, complaints in found for one in complaints]
    assert not wrong
    sent, refused = (sum(one[place] for one in found) for place in (0, 1))
    print(
        f"check 36: {sent} ambiguous requests to {len(doors)} upstreams, {refused} refused at once, 0 desync"
    )


def attacked(stack, upstream, host, path, cookie, expected):
    """One upstream: (requests, refused at once, what went wrong)."""
    sent, refused, wrong = 0, 0, []
    for name, lines, body in ambiguous(INNER % 7):
        wire = Wire(stack.url, stack.ca, host=host, seconds=5)
        version = b"1.0" if name.startswith("HTTP/1.0") else b"1.1"
        head = [
            b"POST %s HTTP/%s" % (path.encode(), version),
            b"Host: " + wire.host.encode(),
            *lines,
            b"Cookie: " + cookie.encode(),
        ]
        wire.send(b"\r\n".join(head) + b"\r\n\r\n" + body)
        answer = wire.all(0.35)
        wire.close()
        sent += 1
        refused += statuses(answer)[:1] in ([400], [501], [405])
        # Whatever stands behind an end that nginx accepts is a request of the sender's own, never finished here.
        if len(statuses(answer)) > 2 or any(
            code >= 500 and code not in (501, 503) for code in statuses(answer)
        ):
            wrong.append((upstream, name, statuses(answer)))
    got = [innocent(stack, host, path, cookie) for _ in range(3)]
    return (
        sent,
        refused,
        wrong + [(upstream, "an innocent reader got", one, expected) for one in got if one != expected],
    )


def hpack(name, value):
    """A header without index and without Huffman's code."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind, flags, stream, body):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def test_http_2_is_not_translated_into_two_requests(stack, doors):
    """# check 36: h2 to HTTP/1.1: lengths that lie, line ends and second requests inside of headers."""
    inner, sent = INNER % 8, 0
    evil = [
        [(b"content-length", b"0")], [(b"content-length", b"3"), (b"content-length", b"0")], [(b"transfer-encoding", b"chunked")],
        [(b"x", b"a\r\ntransfer-encoding: chunked")], [(b"x", b"a\r\n\r\n" + inner[:60])], [(b"x\r\ntransfer-encoding", b"chunked")],
        [(b"connection", b"transfer-encoding")], [(b"te", b"chunked")], [(b"host", b"evil.example")], [(b"x: a\r\nhost", b"b")],
        [(b"content-length", b"5\r\n\r\nGET /smuggled-8 HTTP/1.1")], [(b"X-Upper", b"a")], [(b"upgrade", b"h2c")],
    ]  # fmt: skip
    paths = [b" HTTP/1.1\r\nHost: x\r\n\r\nGET /smuggled-8", b"?a\r\nb", b" /smuggled-8"]
    wrong = []
    for upstream, (host, path, cookie, expected) in doors.items():
        for number in range(len(evil) + len(paths)):
            wire = Wire(stack.url, stack.ca, host=host, protocol="h2", seconds=5)
            assert wire.socket.selected_alpn_protocol() == "h2"
            asked = path.encode() + (paths[number - len(evil)] if number >= len(evil) else b"")
            head = hpack(b":method", b"POST") + hpack(b":scheme", b"https") + hpack(b":path", asked)
            head += hpack(b":authority", wire.host.encode())
            for name, value in evil[number] if number < len(evil) else []:
                head += hpack(name, value)
            wire.send(
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                + frame(4, 0, 0, b"")
                + frame(1, 4, 1, head)
                + frame(0, 1, 1, b"0\r\n\r\n" + inner)
            )
            wire.all(0.1)
            wire.close()
            sent += 1
        for _ in range(3):
            got = innocent(stack, host, path, cookie)
            if got != expected:
                wrong.append((upstream, got, expected))
    assert not wrong
    print(f"check 36: {sent} HTTP/2 requests that say something else in HTTP/1.1, 0 desync")


def size_below(folder):
    total = 0
    for path in Path(folder).rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # gone meanwhile, as it should
    return total


class Watch(threading.Thread):
    """How much a folder grew at most."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.before, self.highest, self.over = folder, size_below(folder), 0, threading.Event()

    def run(self):
        while not self.over.wait(0.05):
            self.highest = max(self.highest, size_below(self.folder) - self.before)


def upload(stack, path, cookie, csrf):
    """Send a chunked body of 10 GiB until somebody says stop: (bytes that were taken, answer)."""
    wire = Wire(stack.url, stack.ca, seconds=20)
    head = f"POST {path} HTTP/1.1\r\nHost: {wire.host}\r\nCookie: {cookie}\r\nX-CSRF-Token: {csrf}\r\nTransfer-Encoding: chunked\r\n"
    wire.send(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n")
    start = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
    piece = b"%x\r\n" % (1 << 20) + bytes(1 << 20) + b"\r\n"
    sent, answer = 0, b""
    try:
        wire.socket.sendall(b"%x\r\n%s\r\n" % (len(start), start))
        # Who is answered before the end stops, as every client does.
        while sent < 10 << 30 and not (answer := wire.answered()):
            wire.socket.sendall(piece)
            sent += 1 << 20
    except OSError:
        answer = b""
    answer += wire.all(2)
    wire.close()
    return sent, answer


def test_an_upload_without_end_is_stopped_at_the_limit(stack, browsers):
    """# check 25: at the edge, for pages and for the API; the service's own limit is in chassis/tests/unit/test_uploads.py."""
    browser = browsers("fgw.wenshu")
    cookie = f"__Host-tongban={browser.cookie('__Host-tongban')}"
    told = []
    for path, limit in (
        ("/knowledge/new", LIMIT),
        ("/documents/outgoing/new", LIMIT),
        ("/api/v1/tasks/tasks", 4 << 20),
    ):
        watch = Watch(Path(stack.env["TONGBAN_VAR"]) / "edge" / "temp")
        watch.start()
        sent, answer = upload(stack, path, cookie, browser.csrf)
        watch.over.set()
        watch.join()
        # What lies in the buffers of two sockets comes on top of what was taken.
        assert sent < limit + (24 << 20), (path, sent)
        assert watch.highest <= limit + (1 << 20), (path, watch.highest)
        assert statuses(answer)[:1] == [413], answer[:200]
        end = time.monotonic() + 10
        while size_below(watch.folder) > watch.before and time.monotonic() < end:
            threading.Event().wait(0.1)
        assert size_below(watch.folder) <= watch.before, "the temporary file is still there"
        told.append(f"{path} stopped after {sent >> 20} MB, disk +{watch.highest >> 20} MB")
        wire = Wire(stack.url, stack.ca)
        head = f"POST {path} HTTP/1.1\r\nHost: {wire.host}\r\nCookie: {cookie}\r\nX-CSRF-Token: {browser.csrf}\r\nContent-Length: {10 << 30}\r\n\r\n"
        wire.send(head.encode())
        declared = wire.all(3)
        wire.close()
        assert statuses(declared)[:1] == [413]
        assert any(word in declared.decode() for word in ("上限", "过大", "限制", "太大")), declared.decode()[
            -600:
        ]
    print(f"check 25: 10 GiB chunked: {'; '.join(told)}; declared: 413; nothing remains")


def test_slow_connections_hold_nobody_up(stack, browsers):
    """# check 37: slow headers, slow bodies, slow readers; the healthy are served, the slow ones are cut."""
    browser = browsers("fgw.wenshu")

    def times(number):
        found = []
        for _ in range(number):
            began = time.monotonic()
            assert browser.http.get(f"{stack.url}/auth/me").status_code == 200
            found.append(time.monotonic() - began)
        return found

    cookie = f"Cookie: __Host-tongban={browser.cookie('__Host-tongban')}\r\n"
    times(20)
    before = times(150)
    wires = []
    for number in range(SLOW):
        wire = Wire(stack.url, stack.ca)
        host = f"Host: {wire.host}\r\n"
        if number % 3 == 0:
            wire.send(f"GET / HTTP/1.1\r\n{host}X-A: ".encode())
        elif number % 3 == 1:
            body = f"POST /api/v1/tasks/tasks HTTP/1.1\r\n{host}{cookie}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{"
            wire.send(body.encode())
        else:
            wire.socket.setsockopt(__import__("socket").SOL_SOCKET, __import__("socket").SO_RCVBUF, 1024)
            wire.send((f"GET /static/tongban.css HTTP/1.1\r\n{host}\r\n" * 50).encode())
        wires.append(wire)
    opened = time.monotonic()
    during = times(150)
    while time.monotonic() - opened < 8:
        for wire in wires[: SLOW // 3]:
            wire.send(b"a")
        threading.Event().wait(1)
    during += times(50)
    # A header may take ten seconds in all, however it drips; then the line is cut.
    threading.Event().wait(max(0, 13 - (time.monotonic() - opened)))
    alive = [wire for wire in wires[::3] if wire.all(0.05) == b"" and not hung_up(wire)]
    for wire in wires:
        wire.close()
    slow, fast = percentile(during, 0.99), percentile(before, 0.99)
    assert not alive, f"{len(alive)} of {len(wires[::3])} slow headers are still open"
    assert slow < max(2.0, 4 * fast)
    print(
        f"check 37: {SLOW} slow connections: p99 of the healthy {fast * 1000:.0f} ms before, {slow * 1000:.0f} ms during; slow headers cut"
    )


def hung_up(wire):
    wire.socket.settimeout(0.2)
    try:
        return wire.socket.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_the_edge_logs_one_line_a_request(stack):
    """# check 35: CR, LF and ANSI in everything that a stranger may write into the edge's log."""
    log = Path(stack.env["TONGBAN_VAR"]) / "edge" / "access.log"
    place = log.stat().st_size
    evil = b'\x1b[31mred\x1b[0m\x07\x08\x7f\xc2\x85\xe2\x80\xa8"}{\\'
    wire = Wire(stack.url, stack.ca)
    wire.send(
        b"GET /a%0d%0a%1b[31m?x=%0a HTTP/1.1\r\nHost: "
        + wire.host.encode()
        + b"\r\nUser-Agent: "
        + evil
        + b"\r\nReferer: "
        + evil
        + b"\r\n\r\n"
    )
    wire.send(
        b"GET /" + evil + b" HTTP/1.1\r\nHost: " + wire.host.encode() + b"\r\nConnection: close\r\n\r\n"
    )
    wire.all(3)
    wire.close()
    text = log.read_bytes()
    mine = [line for line in text[place:].splitlines() if b"red" in line or b"%0d%0a" in line]
    assert mine
    # Those of all attacks before are read, too.
    for line in text[: text.rindex(b"\n")].split(b"\n"):
        json.loads(line)
        assert not set(line) & {0x1B, 0x07, 0x08, 0x0D}, line
    print(f"check 35: {len(mine)} requests, {len(mine)} lines of the edge's log, no control character")


def test_saml_fetches_nothing(stack, stranger):
    """# check 29: there is no SAML client; Keycloak's own endpoint is offered by the edge and refuses entities."""
    import base64
    import socket
    import zlib

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        asked = 0
        for dtd in (f'<!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]>', f'<!DOCTYPE a SYSTEM "{url}">', f'<!DOCTYPE a [<!ENTITY % p SYSTEM "{url}">%p;]>',
                    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'):  # fmt: skip
            request = f'{dtd}<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="a" Version="2.0" IssueInstant="2026-01-01T00:00:00Z">&x;</samlp:AuthnRequest>'
            post = base64.b64encode(request.encode()).decode()
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            redirect = base64.b64encode(packer.compress(request.encode()) + packer.flush()).decode()
            for answer in (
                stranger.ask("POST", "/id/realms/tongban/protocol/saml", data={"SAMLRequest": post}),
                stranger.ask("GET", "/id/realms/tongban/protocol/saml", params={"SAMLRequest": redirect}),
                stranger.ask("POST", "/id/realms/tongban/protocol/saml", data={"SAMLResponse": post}),
            ):
                asked += 1
                assert answer.status_code in (400, 403, 404, 405), answer.status_code
                assert "root:" not in answer.text
        with pytest.raises(TimeoutError):
            listener.accept()
    print(f"check 29: {asked} SAML messages with entities at Keycloak's endpoint: refused, 0 fetches")
