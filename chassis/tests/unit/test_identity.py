"""Only a current access token of the realm lets anybody in, and whatever else is sent is refused in one way."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from itertools import islice

import pytest

from chassis import identity
from chassis.errors import NotSignedIn, TongbanError, Unavailable
from chassis.identity import LEEWAY, ServiceToken, Verifier, principal_of
from chassis.identity_types import Principal
from chassis.tests.helpers import KID, Realm, key, settings
from tests.inprocess import eventually


@pytest.fixture(scope="module")
def realm():
    made = Realm()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def verifier(realm, tmp_path):
    realm.broken = False
    return Verifier(settings(tmp_path, keycloak_url=realm.url))


def refused(verifier, token):
    """Whether it is refused as it should be; any other exception comes through."""
    try:
        verifier.verify(token)
    except NotSignedIn:
        return True
    return False


def test_a_good_token(realm, verifier):
    found = verifier.verify(
        realm.sign(clearance=2, roles=["offline_access"], posts=["fgw:leader", "zfb:member"])
    )
    assert found.person == "p1"
    assert found.clearance == 2
    assert found.units == ("fgw", "zfb")
    assert found.tokens == {"all", "p:p1", "u:fgw", "u:fgw:member", "u:fgw:leader", "u:zfb", "u:zfb:member"}
    assert found.callers == {"person", "leader", "member"}


def test_times(realm, verifier):
    """# check 5: expired, not yet valid; a skew of 30 s is borne."""
    now = int(time.time())
    wrong = [
        {"exp": now - LEEWAY - 1}, {"exp": 0}, {"nbf": now + LEEWAY + 5}, {"iat": now + 65}, {"exp": None}, {"iat": None},
    ]  # fmt: skip
    assert not [one for one in wrong if not refused(verifier, realm.sign(**one))]
    right = [{"exp": now - LEEWAY + 5}, {"nbf": now + LEEWAY - 5}, {"iat": now + LEEWAY - 5}]
    assert not [one for one in right if refused(verifier, realm.sign(**one))]
    print(f"check 5: {len(wrong)} refused, {len(right)} within the skew accepted")


def test_a_remembered_token_is_not_believed_beyond_its_time(realm, verifier, monkeypatch):
    token = realm.sign()
    verifier.verify(token)
    asked = len(realm.asked)
    # Remembered: not decoded again.
    monkeypatch.setattr(verifier, "_decode", lambda _token: pytest.fail("decoded twice"))
    verifier.verify(token)
    assert len(realm.asked) == asked
    real = time.time
    monkeypatch.setattr(identity.time, "time", lambda: real() + 300 + LEEWAY + 1)
    assert refused(verifier, token)


def test_what_is_not_an_access_token_of_this_realm(realm, verifier):
    claims = [
        {"typ": "ID"}, {"typ": "Refresh"}, {"typ": "Logout"}, {"typ": None}, {"aud": "other"}, {"aud": None}, {"sub": None},
        {"iss": "https://test.local/id/realms/other"}, {"clearance": "top"}, {"clearance": [1]}, {"roles": 5},
    ]  # fmt: skip
    assert not [one for one in claims if not refused(verifier, realm.sign(**one))]
    assert refused(verifier, realm.sign(with_key=key()))


def test_an_ended_session_is_refused_at_once(realm, verifier):
    token, other = realm.sign(), realm.sign(sid="s2")
    verifier.verify(token)
    verifier.end_session("s1")
    assert refused(verifier, token)
    assert refused(verifier, realm.sign(jti="another of the same session"))
    assert verifier.verify(other).session == "s2"


def mutations(token):
    """The token with a few bytes changed, left out, put in or cut off, for ever."""
    numbers = random.Random(60)
    while True:
        text = bytearray(token.encode())
        for _ in range(numbers.choice((1, 1, 2, 3, 30))):
            place = numbers.randrange(len(text))
            what = numbers.randrange(4)
            if what == 0:
                text[place] = numbers.randrange(256)
            elif what == 1:
                text[place:] = b"A"
            elif what == 2:
                text[place:place] = numbers.randbytes(3)
            else:
                text[place : place + numbers.randrange(40)] = b"."
        yield text.decode("utf-8", "surrogateescape")


def odd(token):
    """What no generator of small changes hits upon."""
    header, claims, signature = token.split(".")
    deep = base64.urlsafe_b64encode(b"[" * 6000).decode()
    yield from ("", ".", "..", "...", "é", "\udce9.a.b", token * 3)
    yield from (f"{deep}.{claims}.{signature}", f"{header}.{deep}.{signature}")
    for text in (
        '{"alg":"RS256","kid":{}}',
        '{"alg":"RS256","kid":"\\ud800"}',
        "[]",
        "null",
        '"RS256"',
        '{"alg":["RS256"]}',
    ):
        yield f"{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}.{claims}.{signature}"


def test_random_mutations(realm, verifier):
    """# check 6: 1,000 mutations, 1,000 refusals, no other exception."""
    token = realm.sign()
    # The last character holds bits that nobody reads; without a change of the rest it is the same token.
    tried = [
        text for text in islice(mutations(token), 1100) if text[:-1] != token[:-1] or len(text) != len(token)
    ][:1000]
    accepted = [text for text in [*odd(token), *tried] if not refused(verifier, text)]
    assert not accepted
    assert len(tried) == 1000
    count = len(tried)
    print(f"check 6: {count} mutations, {count} refused")


def test_a_flood_of_unknown_keys_fetches_once(realm, verifier):
    """# check 65: at most one fetch in 30 s, whoever asks; known users are served meanwhile."""
    good = realm.sign()
    verifier.verify(good)
    before = len(realm.asked)
    verifier._again = 0.0  # the thirty seconds are over
    stranger = key()
    users = [realm.sign(KID, sid=str(number)) for number in range(5)]
    tokens = [realm.sign("stranger", stranger, sid=str(number)) for number in range(20)]
    failures: list[str] = []

    def flood():
        failures.extend(token for token in tokens if not refused(verifier, token))
        for token in users:
            verifier.verify(token)

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(realm.asked) - before == 1
    # A new key of the realm's is found as soon as the thirty seconds are over.
    realm.keys["key-2"] = key()
    assert refused(verifier, realm.sign("key-2"))
    verifier._again = 0.0
    assert verifier.verify(realm.sign("key-2")).person == "p1"
    assert verifier.verify(good).person == "p1"
    print(f"check 65: {8 * len(tokens)} calls with an unknown key, 1 fetch")


def test_a_fetch_that_fails_keeps_the_known_keys(realm, verifier):
    good = realm.sign()
    verifier.verify(good)
    realm.broken = True
    verifier._again = 0.0
    del realm.keys["key-2"]
    assert refused(verifier, realm.sign("new", key()))
    assert verifier.verify(realm.sign(sid="s9")).session == "s9"


def test_a_process_learns_the_keys_before_anybody_needs_them(realm, tmp_path, monkeypatch):
    """# check 64: whoever has not been asked since its start works without the identity provider, too."""
    monkeypatch.setattr(identity, "LEARN", 0.05)
    realm.broken, before = True, len(realm.asked)
    verifier = Verifier(settings(tmp_path, keycloak_url=realm.url)).learn()
    eventually(lambda: len(realm.asked) >= before + 2)  # tried again by itself
    realm.broken = False
    eventually(lambda: verifier._keys)
    realm.broken = True
    assert verifier.verify(realm.sign()).person == "p1"


def test_without_any_key_calls_fail_quickly_and_as_unavailable(realm, tmp_path):
    realm.broken = True
    verifier = Verifier(settings(tmp_path, keycloak_url=realm.url))
    before = len(realm.asked)
    for number in range(20):
        with pytest.raises(Unavailable):
            verifier.verify(realm.sign(sid=str(number)))
    assert len(realm.asked) - before == 1
    realm.broken = False
    verifier._again = 0.0
    assert verifier.verify(realm.sign()).person == "p1"


@pytest.mark.parametrize(
    ("roles", "posts"),
    [
        (["auditor", "system_administrator"], []),
        (["auditor", "security_administrator", "system_administrator"], []),
        (["auditor"], ["fgw:member"]),
        (["offline_access", "system_administrator"], ["fgw:leader"]),
    ],
)
def test_a_token_that_unites_what_no_account_may_opens_nothing(roles, posts):
    """# check 21"""
    said = {"sub": "p", "exp": 1, "roles": roles, "posts": posts}
    with pytest.raises(NotSignedIn, match="exclude each other"):
        principal_of(said)
    assert principal_of({**said, "roles": roles[:1], "posts": []}).roles == {roles[0]}


def test_a_service_account_is_no_person():
    base = {"sub": "x", "exp": 1}
    real = principal_of(
        {**base, "azp": "svc-tasks", "preferred_username": "service-account-svc-tasks", "posts": ["a:leader"]}
    )
    assert real.callers == {"service:tasks", "service"}
    # Somebody who merely signed in through that client, or named himself so.
    for claims in (
        {"azp": "svc-tasks", "preferred_username": "zhang"},
        {"azp": "web", "preferred_username": "service-account-svc-tasks"},
    ):
        assert principal_of({**base, **claims}).service == ""
    assert principal_of({**base, "posts": "fgw:head"}).posts == ("fgw:head",)
    assert Principal("p").callers == frozenset()


def test_the_services_own_token_is_renewed_and_survives_a_short_outage(tmp_path, monkeypatch):
    (tmp_path / "svc-own").write_text("secret\n")
    answers = [{"access_token": "one", "expires_in": 90}, "broken", {"access_token": "two", "expires_in": 90}]
    sent = []

    class Reply:
        def __init__(self, body):
            self.body = body

        def raise_for_status(self):
            pass

        def json(self):
            if self.body == "broken":
                raise json.JSONDecodeError("no", "", 0)
            return self.body

    def post(url, **more):
        sent.append((url, more["auth"]))
        return Reply(answers.pop(0))

    monkeypatch.setattr(identity.httpx, "post", post)
    token = ServiceToken(settings(tmp_path, service="own"))
    assert [token.get(), token.get()] == ["one", "one"]
    assert sent[0][1] == ("svc-own", "secret")
    token._until = 0.0
    assert token.get() == "one"  # Keycloak is away, the old one is still good
    assert token.get() == "two"
    token._until = token._expires = 0.0
    answers.append({"error": "x"})
    with pytest.raises(TongbanError) as problem:
        token.get()
    assert type(problem.value) is Unavailable
