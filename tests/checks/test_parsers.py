"""Every parser of strangers' bytes against random ones: a typed refusal or an answer, never anything else.

TONGBAN_FUZZ_EXAMPLES=1000000 is the full form of check 94, for each parser.
"""

from __future__ import annotations

import io
import os

import jwt
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import MultiPartParser

from chassis.errors import TongbanError
from chassis.identity import Verifier
from chassis.settings import Settings
from gateway.path_templates import BadPath
from services.documents.bodies import blocks_of
from services.documents.printing.code import encode
from services.documents.printing.tests.measuring import FIELDS
from tests.checks import bombs
from tests.checks.parsing import parsers, refusals

EXAMPLES = int(os.environ.get("TONGBAN_FUZZ_EXAMPLES", "30"))
SEEDS = {
    "body.docx": [bombs.plain_docx()], "knowledge.docx": [bombs.plain_docx()], "upload": [bombs.plain_docx(), bombs.zipped({"a": b"b"}), b"%PDF-1.7", b"GIF89a"],
    "knowledge.pdf": [bombs.pdf_with(bombs.deflated(b"BT /F 9 Tf (a) Tj ET"))],
    "body.md": ["# 一、题\n\n> - [a](b) **c**\n\n|a|b|\n|-|-|\n|1|2|\n".encode()], "knowledge.md": ["# 题\n正文".encode()],
    "body.txt": ["一、题\n\f（一）正文".encode("gb18030")], "knowledge.txt": ["正文".encode("utf-16")],
    "knowledge.html": [b"<html><head><meta charset=gbk></head><body><p>a<table><tr><td>b</body>"], "json": [b'{"a": [1, 2.5e3, "\\u4e00", null, true]}'],
    "code": [encode(FIELDS).encode("gb18030")], "scan.image": [bombs.noisy_png(20, 20, "L")], "seal": [bombs.noisy_png(20, 20)],
}  # fmt: skip


@st.composite
def damaged(draw, seeds):
    """A good file with some bytes changed, cut, doubled or moved; or mere noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=400))
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.integers(0, 4)):
            case 0:
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del data[at : at + draw(st.integers(1, 50))]
            case 2:
                data[at:at] = data[at : at + draw(st.integers(1, 50))]
            case 3:
                data[at:at] = draw(
                    st.sampled_from(
                        [
                            b"<",
                            b"\x00",
                            b"\xff",
                            b"]]>",
                            b"{",
                            b"\\",
                            b"\r\n",
                            b"(",
                            b"\xe4",
                            b"PK\x03\x04",
                            b"9" * 30,
                        ]
                    )
                )
            case _:
                data = data[: max(1, at)]
    return bytes(data)


def holds(parse, data, known):
    try:
        parse(data)
    except known as refusal:
        sentence = getattr(refusal, "zh", "。")
        return "refused" if sentence.endswith("。") or "：" in sentence else f"no sentence: {refusal}"
    return "read"


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_parser_reads_or_refuses(name):
    """# check 94"""
    parse, known, seen = parsers()[name], refusals(), []
    # Damage to what is refused anyway would show nothing of what lies behind the first look.
    assert [holds(parse, seed, known) for seed in SEEDS[name]] == ["read"] * len(SEEDS[name])

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=EXAMPLES < 1000, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(damaged(SEEDS[name]))
    def one(data):
        seen.append(holds(parse, data, known))

    one()
    assert set(seen) <= {"read", "refused"}
    assert "refused" in seen
    assert len(seen) >= EXAMPLES * 0.9
    print(
        f"check 94: {name}: {len(seen)} files, {seen.count('read')} read, {seen.count('refused')} refused, 0 crashes"
    )


def others():
    """Parsers of text: tokens, paths, multipart, editable bodies."""
    from gateway import routes

    verifier = Verifier(Settings("t", "t", "https://x", "", "", "http://127.0.0.1:9", "r", None, None))
    table = routes.load()
    key = "0" * 64
    token = jwt.encode({"sub": "a", "exp": 1}, key, "HS256", headers={"kid": "a"})

    def multipart(data):
        MultiPartParser().parse(io.BytesIO(data), b"b", len(data))

    part = b'--b\r\nContent-Disposition: form-data; name="a"; filename="b.txt"\r\nContent-Type: text/plain\r\n\r\nabc\r\n--b--\r\n'
    return {
        "token": (lambda data: verifier.verify(data.decode("latin-1")), [token.encode()], (TongbanError,)),
        "path": (lambda data: table.find("GET", data.decode("latin-1")), [b"/api/v1/documents/outgoing/a%2Fb/files/c"], (BadPath,)),
        "multipart": (multipart, [part], (ValueError, HTTPException)),
        "body": (lambda data: blocks_of(data.decode("utf-8", "replace")), ["一、题\n| a | b |\n| c |\n\f".encode()], refusals()),
    }  # fmt: skip


# A body is what somebody types: every text is one.
BROKEN = {"token": b"a.b.c", "path": b"/api/v1/documents/outgoing/%ff", "multipart": b"--c"}


@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", ["token", "path", "multipart", "body"])
def test_a_reader_of_text_reads_or_refuses(name):
    """# check 94"""
    parse, seeds, known = others()[name]
    seen = []
    # The token is of nobody's making.
    assert holds(parse, seeds[0], known) == ("refused" if name == "token" else "read")
    if name in BROKEN:
        assert holds(parse, BROKEN[name], known) == "refused"

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=EXAMPLES < 1000, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(damaged(seeds))
    def one(data):
        seen.append(holds(parse, data, known))

    one()
    assert set(seen) <= {"read", "refused"}
    assert len(seen) >= EXAMPLES * 0.9
    print(
        f"check 94: {name}: {len(seen)} texts, {seen.count('read')} read, {seen.count('refused')} refused, 0 crashes"
    )
