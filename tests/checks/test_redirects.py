"""Where a browser can be sent: every parameter and path that names a place, with 40 and more payloads, through the edge."""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit

import pytest

from gateway.tests.unit.test_redirects import PAYLOADS as ALL
from tests.checks.browser import Browser
from tests.checks.platform import settings_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
PAYLOADS = [payload for payload in ALL if payload and len(payload) < 200]


def offsite(answer, url):
    """Whether a browser that is told this would leave the platform; it repairs addresses before it goes there."""
    told = [answer.headers.get(name, "") for name in ("location", "hx-redirect", "refresh", "hx-location")]
    for place in filter(None, told):
        repaired = re.sub(r"[\t\r\n]", "", place.strip("".join(map(chr, range(33))))).replace("\\", "/")
        # An address without its slashes, or with too many of them, is an address all the same.
        repaired = re.sub(r"^(https?):/*", r"\1://", repaired, flags=re.IGNORECASE)
        repaired = re.sub(r"^/{2,}", "//", repaired)
        there = urlsplit(urljoin(str(answer.url), repaired))
        own = urlsplit(url)
        if (
            there.scheme != "https"
            or not (there.hostname or "").endswith(own.hostname or "?")
            or "@" in there.netloc
        ):
            return place
        if there.port != own.port or "evil" in there.netloc:
            return place
    return ""


@pytest.fixture(scope="module")
def reader(stack):
    """A browser of its own: these logins are many and end none of the others'."""
    browser = Browser(stack.url, stack.ca)
    browser.sign_in("czj.wenshu", settings_of(stack).secret("demo-password"))
    yield browser
    browser.close()


def enc(text):
    return quote(text.encode("utf-8", "replace"), safe="")


def test_the_judge_knows_what_leaves(reader, stack):
    """Else the tests below would prove nothing."""

    class Told:
        url = f"{stack.url}/auth/login"
        headers: dict[str, str]

    for place in (
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "\t//evil.example",
        "https://localhost@evil.example/",
    ):
        Told.headers = {"location": place}
        assert offsite(Told, stack.url), place
    for place in (
        "/",
        "/documents/?a=//evil.example",
        f"{stack.url}/x",
        f"https://oldsite.{stack.env['TONGBAN_APPS_DOMAIN']}/",
    ):
        Told.headers = {"location": place}
        assert not offsite(Told, stack.url), place


def test_next_leads_nowhere_else(reader, stack):
    """# check 14: `next` at the login, with a session and through the whole round of a login."""
    left, rounds = [], 0
    for number, payload in enumerate(PAYLOADS):
        answer = reader.get(f"/auth/login?next={enc(payload)}")
        assert answer.status_code == 302
        if offsite(answer, stack.url):
            left.append(payload)
        if number % 4 == 0:
            # Without our session, but with Keycloak's: there and back again without a form.
            reader.http.cookies.delete("__Host-tongban", domain="localhost.local", path="/")
            answer = reader.get(f"/auth/login?next={enc(payload)}")
            while answer.is_redirect:
                if offsite(answer, stack.url):
                    left.append(payload)
                    break
                answer = reader.get(urljoin(str(answer.url), answer.headers["location"]))
            assert answer.status_code == 200, payload
            rounds += 1
    assert not left
    print(f"check 14: next: {len(PAYLOADS)} payloads, {rounds} of them through a whole login, 0 off-site")


def test_redirect_uri_and_post_logout_uri_lead_nowhere_else(reader, stack):
    """# check 14: Keycloak takes the one registered address, letter by letter."""
    left, base = [], "/id/realms/tongban/protocol/openid-connect"
    more = [
        f"{stack.url}{end}"
        for end in (
            "/",
            "/auth/callback/",
            "/auth/callback?x=1",
            "/auth/callback#x",
            "/auth/callback/../x",
            "/auth/Callback",
        )
    ]
    more += [
        f"{stack.url}.evil.example/auth/callback",
        f"{stack.url}@evil.example/auth/callback",
        "urn:ietf:wg:oauth:2.0:oob",
    ]
    for payload in PAYLOADS + more:
        query = f"client_id=gateway&response_type=code&scope=openid&code_challenge={'a' * 43}&code_challenge_method=S256"
        answer = reader.get(f"{base}/auth?{query}&redirect_uri={enc(payload)}")
        if answer.status_code != 400 or offsite(answer, stack.url):
            left.append((payload, answer.status_code))
        answer = reader.get(f"{base}/logout?client_id=gateway&post_logout_redirect_uri={enc(payload)}")
        if answer.is_redirect or offsite(answer, stack.url):
            left.append((payload, answer.status_code))
    assert not left
    print(
        f"check 14: redirect_uri and post_logout_redirect_uri: {2 * len(PAYLOADS + more)} requests, 0 off-site"
    )


def test_relay_state_and_other_parameters_lead_nowhere_else(reader, stack):
    """# check 14: RelayState at every SAML endpoint there is, and names that other systems use for the same."""
    left, realm = [], "/id/realms/tongban"
    for payload in PAYLOADS:
        places = [
            ("GET", f"{realm}/protocol/saml?RelayState={enc(payload)}&SAMLRequest=fVI=", {}),
            ("GET", f"/signed-out?next={enc(payload)}", {}),
        ]
        places += [
            ("POST", f"{realm}/protocol/saml", {"data": {"RelayState": payload, "SAMLResponse": "fVI="}})
        ]
        places += [
            (
                "GET",
                f"/apps/oldsite?next={enc(payload)}&url={enc(payload)}&return={enc(payload)}&redirect={enc(payload)}",
                {},
            )
        ]
        for method, path, more in places:
            answer = reader.ask(method, path, **more)
            if offsite(answer, stack.url) or answer.status_code >= 500:
                left.append((method, path, answer.status_code))
    assert not left
    print(f"check 14: RelayState and the like: {4 * len(PAYLOADS)} requests, 0 off-site")


def test_a_path_leads_nowhere_else(reader, stranger, stack):
    """# check 14: paths that a server would repair by a redirect, with and without a session, on both kinds of hosts."""
    left, asked = [], 0
    paths = [
        payload
        for payload in PAYLOADS
        if payload.startswith("/") and payload.isascii() and payload.isprintable()
    ]
    paths += [
        f"//evil.example/{one}" for one in ("documents", "tasks", "apps", "documents/..", "%2e%2e", "static/")
    ]
    hosts = [stack.url, f"https://oldsite.{stack.env['TONGBAN_APPS_DOMAIN']}"]
    for host in hosts:
        for path in paths:
            for browser in (reader, stranger):
                answer = browser.get(host + path)
                asked += 1
                if offsite(answer, stack.url):
                    left.append((host, path, answer.headers["location"]))
    for payload in PAYLOADS:
        ticket = f"{hosts[1]}/.tongban/enter?ticket={'x' * 43}&next={enc(payload)}"
        asked += 1
        if offsite(reader.get(ticket), stack.url):
            left.append(("ticket", payload))
    assert not left
    print(f"check 14: {asked} paths and tickets, 0 off-site")


def test_a_good_ticket_leads_nowhere_else(reader, stack):
    """# check 14: `next` beside a ticket that is good."""
    left = []
    for payload in PAYLOADS[::3]:
        entry = reader.get("/apps/headersite/open").headers["location"]
        answer = reader.get(f"{entry}&next={enc(payload)}")
        assert answer.is_redirect
        assert "set-cookie" in answer.headers
        if offsite(answer, stack.url):
            left.append((payload, answer.headers["location"]))
    assert not left
    print(f"check 14: {len(PAYLOADS[::3])} good tickets, 0 off-site")
