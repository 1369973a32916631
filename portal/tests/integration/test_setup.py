"""The realm on a real Keycloak."""

from __future__ import annotations

import base64
import json

import httpx
import pytest

from portal import setup
from portal.keycloak import bootstrap_admin

pytestmark = pytest.mark.integration


def token(given, client: str, **form: str) -> httpx.Response:
    url = f"{given.realm_url}/protocol/openid-connect/token"
    return httpx.post(url, data=form, auth=(client, given.secret(client)), timeout=20)


def claims(jwt: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(jwt.split(".")[1] + "=="))


def picture(given) -> dict:
    """Everything of the realm that the set-up decides."""
    admin = bootstrap_admin(given)
    clients = {}
    for client in admin.get_clients():
        held = admin.get_client_default_client_scopes(client["id"])
        clients[client["clientId"]] = {**client, "scopes": sorted(scope["name"] for scope in held)}
    scopes = {scope["name"]: scope for scope in admin.get_client_scopes()}
    account = admin.get_client_service_account_user(clients["svc-portal"]["id"])["id"]
    rights = admin.get_client_roles_of_user(account, clients["realm-management"]["id"])
    return {
        "realm": admin.get_realm(given.realm),
        "clients": clients,
        "mappers": sorted(scopes["tongban"]["protocolMappers"], key=lambda one: one["name"]),
        "profile": admin.get_realm_users_profile(),
        "roles": sorted(role["name"] for role in admin.get_realm_roles()),
        "rights": sorted(role["name"] for role in rights),
        "people": sorted(user["username"] for user in admin.get_users()),
    }


def test_a_second_run_changes_nothing(realm):
    before = picture(realm)
    setup.run(realm)
    assert picture(realm) == before
    assert {"auditor", "secadmin", "sysadmin"} <= set(before["people"])


def test_service_accounts_and_people_get_our_claims(realm):
    service = claims(token(realm, "svc-documents", grant_type="client_credentials").json()["access_token"])
    assert (service["aud"], service["azp"]) == ("tongban", "svc-documents")
    assert service["preferred_username"] == "service-account-svc-documents"
    reply = token(
        realm,
        "tongban-demo",
        grant_type="password",
        username="sysadmin",
        password=realm.secret("demo-password"),
        scope="openid",
    ).json()
    person = claims(reply["access_token"])
    assert person["aud"] == "tongban"
    assert person["roles"] == ["system_administrator"]
    assert person["name"] == "系统管理员"
    assert person["exp"] - person["iat"] == 1020
    # An ID token must not open a service. # check 4
    assert claims(reply["id_token"])["aud"] == "tongban-demo"


def login_page(realm, **more: str) -> httpx.Response:
    query = {
        "client_id": "gateway", "response_type": "code", "scope": "openid",
        "redirect_uri": "https://localhost:18543/auth/callback",
        "code_challenge": "a" * 43, "code_challenge_method": "S256", **more,
    }  # fmt: skip
    return httpx.get(
        f"{realm.realm_url}/protocol/openid-connect/auth",
        params={k: v for k, v in query.items() if v},
        timeout=20,
    )


def test_the_login_page_is_chinese(realm):
    page = login_page(realm)
    assert page.status_code == 200
    assert 'lang="zh-CN"' in page.text
    assert all(word in page.text for word in ("同办", "用户名", "密码", "登录"))


@pytest.mark.parametrize(
    "redirect",
    [
        "https://evil.example/auth/callback", "https://localhost:18543/auth/callback/..",
        "https://localhost:18543/auth/callback?x=1",
        "https://localhost:18543/", "http://localhost:18543/auth/callback",
        "https://localhost:18543.evil.example/auth/callback",
        "https://evil.example\\@localhost:18543/auth/callback", "//localhost:18543/auth/callback",
    ],
)  # fmt: skip
def test_only_the_exact_redirect_is_accepted(realm, redirect):  # check 14
    assert login_page(realm, redirect_uri=redirect).status_code == 400


def test_pkce_is_demanded_and_plain_is_not_enough(realm):  # check 15
    for change in ({"code_challenge": "", "code_challenge_method": ""}, {"code_challenge_method": "plain"}):
        reply = login_page(realm, **change)
        assert reply.status_code in (302, 303)
        assert "error=invalid_request" in reply.headers["location"]


def test_no_client_has_a_flow_it_does_not_need(realm):
    clients = picture(realm)["clients"]
    assert [name for name, one in clients.items() if one["directAccessGrantsEnabled"]] in (
        ["tongban-demo"],
        ["admin-cli", "tongban-demo"],
    )
    assert not any(one["implicitFlowEnabled"] for one in clients.values())
    assert not any(
        clients[name]["standardFlowEnabled"] for name in ("svc-portal", "svc-tasks", "tongban-demo")
    )
