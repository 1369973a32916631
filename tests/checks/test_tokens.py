"""Forged and foreign tokens at the gateway and at every gRPC service of the running platform: nobody takes one."""

from __future__ import annotations

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization as to

from tests.checks.forging import keyed, parts, unsigned
from tests.checks.platform import Doors, reading, settings_of
from tests.rules import tree

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def doors(stack):
    found = Doors(stack)
    yield found
    found.close()


@pytest.fixture(scope="module")
def real(people):
    return people.token("qfb.wenshu")


@pytest.fixture(scope="module")
def accepted(doors, stack):
    """accepted(tokens) → those that some door took. Every door is asked for every token."""
    web = httpx.Client(base_url=f"http://{stack.env['TONGBAN_HTTP_GATEWAY']}", timeout=20)

    def ask(tokens):
        taken = []
        for name, token in tokens:
            metadata = [("authorization", f"Bearer {token}")]
            for unit in doors.units:
                code = doors.ask(unit, reading(unit), metadata).name
                if code != "UNAUTHENTICATED":
                    taken.append((name, unit, code))
            # httpx refuses to send what is no header at all; the gateway is then not even reached.
            answer = web.get("/api/v1/tasks/todo:count", headers={"Authorization": f"Bearer {token}"})
            if answer.status_code != 401:
                taken.append((name, "gateway", answer.status_code))
        return taken

    yield ask
    web.close()


def test_the_real_token_is_taken_everywhere(doors, stack, real):
    """Else the refusals below would prove nothing."""
    for unit in doors.units:
        wanted = "OK" if "person" in tree.who(unit)[reading(unit).name] else "PERMISSION_DENIED"
        assert doors.ask(unit, reading(unit), [("authorization", f"Bearer {real}")]).name == wanted, unit
    url = f"http://{stack.env['TONGBAN_HTTP_GATEWAY']}/api/v1/tasks/todo:count"
    assert httpx.get(url, headers={"Authorization": f"Bearer {real}"}).status_code == 200


def test_alg_none_is_refused_in_every_spelling_and_form(doors, accepted, real):
    """# check 1"""
    forged = unsigned(real)
    assert not accepted(enumerate(forged))
    asked = len(forged) * (len(doors.units) + 1)
    print(
        f"check 1: {len(forged)} tokens at the gateway and {len(doors.units)} services, {asked} calls, 0 accepted"
    )


def test_an_hmac_under_the_public_key_is_refused(doors, accepted, real, stack):
    """# check 2"""
    header, _, _ = parts(real)
    certs = httpx.get(f"{settings_of(stack).realm_url}/protocol/openid-connect/certs").json()["keys"]
    jwk = next(key for key in certs if key["kid"] == header["kid"])
    key = jwt.PyJWK(jwk).key
    pem = key.public_bytes(to.Encoding.PEM, to.PublicFormat.SubjectPublicKeyInfo)
    old = key.public_bytes(to.Encoding.PEM, to.PublicFormat.PKCS1)
    secrets = {
        "PEM": pem, "PEM without its last line break": pem.rstrip(), "PEM on one line": pem.replace(b"\n", b""),
        "PEM of PKCS 1": old, "DER": key.public_bytes(to.Encoding.DER, to.PublicFormat.SubjectPublicKeyInfo),
        "DER of PKCS 1": key.public_bytes(to.Encoding.DER, to.PublicFormat.PKCS1),
        "modulus of the JWK": jwk["n"].encode(), "modulus in bytes": key.public_numbers().n.to_bytes(256, "big"),
        "exponent": jwk["e"].encode(), "certificate": jwk["x5c"][0].encode(), "kid": jwk["kid"].encode(), "nothing": b"",
    }  # fmt: skip
    forged = keyed(real, secrets)
    assert not accepted(forged.items())
    print(
        f"check 2: {len(forged)} tokens over {len(secrets)} forms of the key at {len(doors.units) + 1} doors, 0 accepted"
    )


def test_what_keycloak_signs_for_other_purposes_opens_no_service(doors, accepted, stack):
    """# check 4: ID token and refresh token of our realm, tokens of another realm."""
    settings = settings_of(stack)

    def grant(realm, **form):
        url = f"{settings.keycloak_url}/realms/{realm}/protocol/openid-connect/token"
        reply = httpx.post(url, data=form, timeout=20)
        assert reply.status_code == 200, reply.text
        return reply.json()

    own = grant(
        settings.realm, grant_type="password", username="qfb.wenshu", password=settings.secret("demo-password"),
        client_id="tongban-demo", client_secret=settings.secret("tongban-demo"), scope="openid",
    )  # fmt: skip
    other = grant(
        "master", grant_type="password", username="admin", password=settings.secret("keycloak-admin-password"),
        client_id="admin-cli", scope="openid",
    )  # fmt: skip
    foreign = {
        "ID token": own["id_token"], "refresh token": own["refresh_token"],
        "access token of another realm": other["access_token"], "ID token of another realm": other["id_token"],
        "refresh token of another realm": other["refresh_token"],
    }  # fmt: skip
    assert not accepted(foreign.items())
    print(f"check 4: {', '.join(foreign)}: 401 at {len(doors.units) + 1} doors")


def test_every_method_of_every_service_refuses_without_a_token(doors):
    """# check 19: anonymous, over the whole table: no method answers anything but UNAUTHENTICATED."""
    wrong = [
        (method.full_name, metadata, code)
        for unit, method in doors.methods()
        for metadata in ([], [("authorization", "Bearer x.y.z")])
        if (code := doors.ask(unit, method, metadata).name) != "UNAUTHENTICATED"
    ]
    assert not wrong
    print(
        f"check 19: {sum(len(tree.rpcs()[unit]) for unit in doors.units)} methods asked without a token, 0 answered"
    )
