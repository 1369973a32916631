"""# checks 1 to 5 for the two kinds of tokens that only the gateway reads: ID tokens and logout tokens."""

import base64
import json
import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chassis.errors import NotSignedIn, Unavailable
from chassis.identity import Verifier
from gateway.oidc import LOGOUT_EVENT, Oidc, Refused, Unanswered
from gateway.tests.unit.fakes import PUBLIC, settings

KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
ISSUER = f"{PUBLIC}/id/realms/tongban"
NOW = int(time.time())
ID = {
    "iss": ISSUER,
    "aud": "gateway",
    "azp": "gateway",
    "typ": "ID",
    "sub": "p1",
    "nonce": "n1",
    "iat": NOW,
    "exp": NOW + 300,
}
LOGOUT = {
    "iss": ISSUER,
    "aud": "gateway",
    "typ": "Logout",
    "sid": "s1",
    "jti": "j1",
    "iat": NOW,
    "exp": NOW + 60,
    "events": {LOGOUT_EVENT: {}},
}


@pytest.fixture
def oidc(tmp_path):
    given = settings(tmp_path)
    verifier = Verifier(given)
    jwk = jwt.PyJWK(
        json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k1", "alg": "RS256"}
    )
    verifier._keys = {"k1": jwk}
    verifier._again = time.monotonic() + 1000
    return Oidc(given, verifier)


def signed(claims, key=KEY, kid="k1", algorithm="RS256", **header):
    # The claims are stated as of the moment when this module was read, which in a long run is minutes ago.
    late = int(time.time()) - NOW
    shifted = {
        name: value + late if name in ("iat", "exp", "nbf") and isinstance(value, int) else value
        for name, value in claims.items()
    }
    return jwt.encode(
        {name: value for name, value in shifted.items() if value is not None},
        key,
        algorithm,
        headers={"kid": kid, **header},
    )


def plain(claims, header):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}."


def test_good_tokens_are_taken(oidc):
    assert oidc.check_id_token(signed(ID), "n1")["sub"] == "p1"
    assert oidc.check_logout_token(signed(LOGOUT))["sid"] == "s1"


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"iss": f"{PUBLIC}/id/realms/other"},
        {"aud": "tongban"},
        {"aud": None},
        {"azp": "other"},
        {"typ": "Bearer"},
        {"typ": "Refresh"},
        {"typ": None},
        {"nonce": "n2"},
        {"nonce": None},
        {"exp": NOW - 31},
        {"exp": None},
        {"iat": NOW + 100},
        {"nbf": NOW + 100},
        {"sub": None},
    ],
)
def test_wrong_id_tokens(oidc, change):  # check 4, 5
    with pytest.raises(NotSignedIn):
        oidc.check_id_token(signed({**ID, **change}), "n1")


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"events": None},
        {"events": {}},
        {"events": {LOGOUT_EVENT: "x"}},
        {"events": "x"},
        {"events": [LOGOUT_EVENT]},
        {"nonce": "x"},
        {"sid": None},
        {"sid": 5},
        {"jti": None},
        {"jti": 5},
        {"exp": NOW - 31},
        {"exp": None},
        {"iat": None},
    ],
)
def test_wrong_logout_tokens(oidc, change):
    with pytest.raises(NotSignedIn):
        oidc.check_logout_token(signed({**LOGOUT, **change}))


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", None, "none ", " none", ["none"], "HS256", "RS384", 0]
)
def test_unsigned_tokens(oidc, algorithm):  # check 1
    with pytest.raises(NotSignedIn):
        oidc.check_logout_token(plain(LOGOUT, {"alg": algorithm, "kid": "k1", "typ": "JWT"}))


def test_signed_with_the_public_key_as_secret(oidc):  # check 2
    public = KEY.public_key()
    for encoding, shape in ((serialization.Encoding.PEM, "pem"), (serialization.Encoding.DER, "der")):
        secret = public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        import hashlib
        import hmac

        head = plain(LOGOUT, {"alg": "HS256", "kid": "k1"})[:-1]
        mac = (
            base64.urlsafe_b64encode(hmac.new(secret, head.encode(), hashlib.sha256).digest())
            .rstrip(b"=")
            .decode()
        )
        with pytest.raises(NotSignedIn):
            oidc.check_logout_token(f"{head}.{mac}")
        assert shape


@pytest.mark.parametrize(
    "kid", ["k2", "../k1", "k1' OR '1'='1", "https://evil.example/jwks", "", "/dev/null"]
)
def test_foreign_keys(oidc, kid):  # check 3
    with pytest.raises(NotSignedIn):
        oidc.check_logout_token(signed(LOGOUT, OTHER, kid, jku="https://evil.example/jwks"))


def test_other_key_under_our_name(oidc):
    with pytest.raises(NotSignedIn):
        oidc.check_logout_token(signed(LOGOUT, OTHER))


def test_mutations_are_refused(oidc):  # check 6
    import random

    token, accepted = signed(LOGOUT), 0
    dice = random.Random(6)
    for _ in range(1000):
        place = dice.randrange(len(token))
        changed = token[:place] + dice.choice("ABCxyz019-_.=\x00é") + token[place + dice.choice((0, 1, 2)) :]
        try:
            oidc.check_logout_token(changed)
            # Only bits that base64 does not use may differ in an accepted token.
            accepted += changed.rpartition(".")[0] != token.rpartition(".")[0]
        except NotSignedIn:
            pass
    print(f"check 6: 1000 mutations, {accepted} accepted")
    assert accepted == 0


def mocked(oidc, answer):
    oidc._http = httpx.Client(transport=httpx.MockTransport(answer))
    return oidc


@pytest.mark.parametrize(
    "problem", [httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError]
)
def test_a_lost_answer_to_a_refresh_token_is_told_from_an_absence(oidc, problem):
    """# check 10"""

    def broken(request):
        raise problem("", request=request)

    with pytest.raises(Unanswered):
        mocked(oidc, broken).refresh("token")
    with pytest.raises(Unavailable):
        mocked(oidc, broken).exchange("code", "verifier")


@pytest.mark.parametrize("problem", [httpx.ConnectError, httpx.ConnectTimeout])
def test_a_keycloak_that_had_nothing_is_away(oidc, problem):
    def unreachable(request):
        raise problem("", request=request)

    with pytest.raises(Unavailable):
        mocked(oidc, unreachable).refresh("token")


@pytest.fixture
def answering(oidc):
    """answering(status, content) → a gateway to which Keycloak answers so."""

    def made(status, content=b""):
        return mocked(oidc, lambda _request: httpx.Response(status, content=content))

    return made


def error(name):
    return json.dumps({"error": name}).encode()


JUNK = [
    (404, b""),
    (200, b"<html>"),
    (200, b"[]"),
    (200, b"{}"),
    (200, b'{"access_token":"a","expires_in":"soon","refresh_token":"r"}'),
    (200, b'{"access_token":"a","expires_in":300}'),
    (200, b'{"access_token":null,"expires_in":300,"refresh_token":"r"}'),
    (302, b""),
    (401, error("invalid_client")),
    (400, error("unauthorized_client")),
    (503, b"x"),
]


@pytest.mark.parametrize(("status", "content"), JUNK)
def test_an_answer_that_is_none_is_an_outage(answering, status, content):
    for ask in (lambda oidc: oidc.refresh("r"), lambda oidc: oidc.exchange("c", "v")):
        with pytest.raises(Unavailable) as problem:
            ask(answering(status, content))
        assert (problem.value.reason, problem.value.en) == (
            "IDENTITY_UNAVAILABLE",
            "The identity provider does not answer.",
        )


@pytest.mark.parametrize(
    ("status", "content"),
    [(401, error("invalid_client")), (400, error("unauthorized_client")), (400, b""), (404, b""), (500, b"")],
)
def test_a_logout_that_keycloak_does_not_take_is_no_logout(answering, status, content):
    with pytest.raises(Unavailable):
        answering(status, content).end("r")


def test_a_logout_of_what_is_over_is_done(answering):
    answering(204).end("r")
    answering(400, error("invalid_grant")).end("r")


def test_tokens_and_their_end(answering):
    answer = {"access_token": "a", "refresh_token": "r", "expires_in": 300, "id_token": "i"}
    tokens = answering(200, json.dumps(answer).encode()).refresh("r0")
    assert (tokens.access, tokens.refresh, tokens.identity) == ("a", "r", "i")
    assert 290 < tokens.access_until - time.time() <= 300
    with pytest.raises(Refused):
        answering(400, error("invalid_grant")).refresh("r0")
