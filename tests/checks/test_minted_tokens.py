"""Tokens that are signed with the realm's own key, or name it, and yet are no access tokens of ours: the verifier by itself.

The running platform cannot be had to sign these; so a key set is served here and the real Verifier reads it.
"""

from __future__ import annotations

import http.server
import json
import random
import socket
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chassis.errors import NotSignedIn
from chassis.identity import LEEWAY, Verifier
from chassis.settings import Settings
from tests.checks.forging import b64, unsigned
from tests.inprocess import eventually

KID = "realm-key"


class Realm:
    """A key, the server of its public half, and the claims of a good token."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        encryption = {**public, "kid": "encryption-key", "use": "enc"}
        body = json.dumps(
            {"keys": [{**public, "kid": KID, "use": "sig", "alg": "RS256"}, encryption]}
        ).encode()
        self.asked = asked = []

        class Keys(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.settings = Settings(
            "s", "test", "https://tongban.test", "", "", f"http://127.0.0.1:{self.server.server_port}/id", "tongban",
            None, None,
        )  # fmt: skip

    def claims(self, **changes):
        now = int(time.time())
        claims = {
            "iss": self.settings.issuer, "aud": "tongban", "sub": "p1", "typ": "Bearer", "azp": "gateway",
            "iat": now, "exp": now + 300, "sid": "s1", "posts": ["fgw:registrar"], "clearance": 0,
        }  # fmt: skip
        return {name: value for name, value in (claims | changes).items() if value is not ...}

    def sign(self, header=None, key=None, alg="RS256", **changes):
        return jwt.encode(self.claims(**changes), key or self.key, alg, {"kid": KID, **(header or {})})


@pytest.fixture(scope="module")
def realm():
    made = Realm()
    yield made
    made.server.shutdown()


@pytest.fixture
def verifier(realm):
    return Verifier(realm.settings)


def refused(verifier, token):
    """Whether the verifier says NotSignedIn, and nothing else; a crash is no refusal."""
    try:
        verifier.verify(token)
    except NotSignedIn:
        return True
    return False


def test_the_good_token_is_taken(realm, verifier):
    found = verifier.verify(realm.sign())
    assert (found.person, found.posts) == ("p1", ("fgw:registrar",))
    assert verifier.verify(realm.sign(aud=["account", "tongban"])).person == "p1"


def test_wrong_issuer_audience_and_kind(realm, verifier):
    """# check 4"""
    issuer = realm.settings.issuer
    wrong = [{"iss": one} for one in (
        issuer + "/", issuer + "2", issuer.upper(), issuer.replace("https", "http"), issuer.replace("tongban.test", "evil.test"),
        issuer.rpartition("/")[0] + "/master", "", "null", [issuer], {"a": issuer}, None, ..., f" {issuer}", f"{issuer}\u0000",
    )]  # fmt: skip
    wrong += [{"aud": one} for one in (
        "account", "gateway", "Tongban", "tongban ", "tongban,account", "", [], ["account"], [["tongban"]], {"tongban": 1}, 7, None, ...,
    )]  # fmt: skip
    wrong += [
        {"typ": one}
        for one in ("ID", "Refresh", "Offline", "Logout", "bearer", "BEARER", "", ["Bearer"], None, ...)
    ]
    wrong += [{name: ...} for name in ("exp", "iat", "sub")]
    taken = [changes for changes in wrong if not refused(verifier, realm.sign_raw(changes))]
    assert not taken
    print(
        f"check 4: {len(wrong)} tokens signed with the realm's key for somebody else or something else, 0 accepted"
    )


def _sign_raw(self, changes, header=None):
    """A signature over claims that a library would not even write."""
    claims = self.claims(**changes)
    start = f"{b64(header or {'alg': 'RS256', 'typ': 'JWT', 'kid': KID})}.{b64(claims)}"
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(start.encode(), self.key)
    return f"{start}.{b64(signature)}"


Realm.sign_raw = _sign_raw


def test_keys_that_the_token_names_are_never_followed(realm, verifier, monkeypatch):
    """# check 3: paths, SQL and addresses as kid; jku, x5u, jwk, x5c: refused, and nothing is connected to but the realm."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(other.public_key()))
    curve = ec.generate_private_key(ec.SECP256R1())
    url = "http://127.0.0.1:9/keys"
    kids = [
        "../../../dev/null", "/dev/null", "file:///dev/null", url, "' OR 1=1 --", "x' UNION SELECT 'k", "|id", "$(id)", "", " ",
        "encryption-key", KID.upper(), f"{KID} ", f"{KID}\u0000", "a" * 10_000, "键",
    ]  # fmt: skip
    tokens = [realm.sign({"kid": kid}, other) for kid in kids] + [realm.sign({"kid": kid}) for kid in kids]
    for named in ({"jku": url}, {"x5u": url}, {"jwk": jwk}, {"x5c": ["MIIB"]}, {"jku": url, "jwk": jwk}):
        tokens += [realm.sign(named, other), realm.sign({**named, "kid": "new"}, other)]
    tokens += [realm.sign_raw({}, {"alg": "RS256", "kid": kid}) for kid in (None, 1, [KID], {"a": 1}, True)]
    tokens += [
        realm.sign_raw({}, {"alg": "RS256"}),
        realm.sign_raw({}, {"alg": "RS256", "kid": KID, "crit": ["x"], "x": 1}),
    ]
    tokens += [
        realm.sign(None, curve, "ES256"),
        realm.sign(None, realm.key, "PS256"),
        realm.sign(None, realm.key, "RS512"),
    ]
    reached = []
    connect = socket.socket.connect

    def noted(self, address):
        reached.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    before = len(realm.asked)
    assert not [token for token in tokens if not refused(verifier, token)]
    # A key that is the realm's own, with a header beside it that leads elsewhere, is still the realm's own key.
    assert verifier.verify(realm.sign({"jku": url, "x5u": url})).person == "p1"
    realms = ("127.0.0.1", realm.server.server_port)
    assert {address[:2] for address in reached} <= {realms}
    assert len(realm.asked) - before == 1, "unknown keys are asked for once in 30 seconds"
    print(f"check 3: {len(tokens)} tokens, 0 accepted, 0 connections but 1 to the realm's own key set")


def test_times(realm, verifier):
    """# check 5: what has expired or is not yet, with a skew of 30 s."""
    now = int(time.time())
    late = [{"exp": now - LEEWAY - 2}, {"exp": now - 3600, "iat": now - 7200}, {"exp": 0}, {"exp": -1}]
    odd = [{"exp": "never"}, {"exp": None}, {"nbf": "x"}, {"iat": "x"}, {"exp": 1e400}, {"exp": [now + 300]}]
    assert not [changes for changes in late + odd if not refused(verifier, realm.sign_raw(changes))]
    # Seconds count here, and signing takes some.
    now = int(time.time())
    early = [{"nbf": now + LEEWAY + 5}, {"nbf": now + 3600}, {"iat": now + 65}, {"iat": now + 3600}]
    assert not [changes for changes in early if not refused(verifier, realm.sign_raw(changes))]
    now = int(time.time())
    right = [{"exp": now - LEEWAY + 10}, {"nbf": now + LEEWAY - 10}, {"iat": now + LEEWAY - 10}]
    assert not [changes for changes in right if refused(verifier, realm.sign_raw(changes))]
    # A token that was good is not believed longer than it lives, though it is remembered.
    short = realm.sign(exp=int(time.time()) - LEEWAY + 6)
    assert not refused(verifier, short)
    eventually(lambda: refused(verifier, short))
    print(f"check 5: {len(late + early + odd)} times refused, {len(right)} within the skew accepted")


def test_random_mutations(realm, verifier):
    """# check 6: 1,000 mutations of a valid token, 1,000 refusals, no crash."""
    numbers = random.Random(6)
    token = realm.sign()
    alphabet = "ABCxyz019-_.=+/ \n\u00e9"
    seen, count = {token}, 0
    while count < 1000:
        text = mutated(numbers, token, alphabet)
        # The last character of a signature holds bits that no decoder reads: then it is the same token.
        if text in seen or _same(text, token):
            continue
        seen.add(text)
        assert refused(verifier, text), text
        count += 1
    print(f"check 6: {count} mutations, {count} refused")


def mutated(numbers, token, alphabet):
    """The token with some characters replaced, added or taken out."""
    found = list(token)
    for _ in range(numbers.choice((1, 1, 1, 2, 5, 50))):
        place, what = numbers.randrange(len(found)), numbers.choice(("replace", "add", "take"))
        if what == "replace":
            found[place] = numbers.choice(alphabet)
        elif what == "add":
            found.insert(place, numbers.choice(alphabet))
        elif len(found) > 1:
            found.pop(place)
    return "".join(found)


def _same(one, other):
    import base64

    def decoded(text):
        pieces = text.split(".")
        try:
            return [base64.urlsafe_b64decode(piece + "=" * (-len(piece) % 4)) for piece in pieces]
        except ValueError:
            return text

    return decoded(one) == decoded(other)


def test_alg_none(realm, verifier):
    """# check 1: the verifier by itself, which every door uses."""
    forged = unsigned(realm.sign())
    assert not [token for token in forged if not refused(verifier, token)]
    print(f"check 1: {len(forged)} tokens at the verifier, 0 accepted")
