"""Log-ins per second of processor time: through the platform, and straight at Keycloak by the same pages."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from gateway.oidc import CLIENT
from tests.load.measuring import Figure, Servers, alone, ratio
from tests.load.site import COOKIE, Site

AT_ONCE = 4


def run(site: Site, *, rounds: int = 5, count: int = 10) -> list[Figure]:
    """`count` log-ins in one measurement."""
    names = cycle(site.names)
    platform = site.servers("edge", "gateway-web", "keycloak")

    def whole(name: str) -> None:
        browser = site.signed_in(name)
        assert browser.cookie(COOKIE), f"{name} is not signed in"
        browser.close()

    def raw(name: str) -> None:
        _straight(site, name)

    def many(log_in: Callable[[str], None], servers: Servers) -> Callable[[], float]:
        def work() -> int:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                return len(list(pool.map(log_in, [next(names) for _ in range(count)])))

        return lambda: servers.per_cpu_second(work)

    first, second = many(whole, platform), many(raw, site.servers("keycloak"))
    first(), second()
    return [
        ratio(
            "log-ins", "log-ins per CPU-second, edge + gateway + Keycloak / the same pages at Keycloak alone",
            first, second, rounds=rounds, mark=0.9,
        ),
        alone("start to ready", "the whole platform, from its first process", [site.seconds], "s"),
    ]  # fmt: skip


def _straight(site: Site, username: str) -> None:
    """The code flow at Keycloak itself: its page, the form, the code, the tokens."""
    settings = site.settings
    realm, back = settings.realm_url, f"{settings.public_url}/auth/callback"
    host = urlsplit(settings.public_url).netloc
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": host,
        "X-Forwarded-Port": host.partition(":")[2] or "443",
    }
    asked = {
        "client_id": CLIENT, "response_type": "code", "scope": "openid", "redirect_uri": back,
        "state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16),
    }  # fmt: skip
    verifier = secrets.token_urlsafe(48)
    asked |= {"code_challenge": _challenge(verifier), "code_challenge_method": "S256"}
    with httpx.Client(headers=headers, timeout=30) as http:
        page = http.get(f"{realm}/protocol/openid-connect/auth?{urlencode(asked)}")
        action = re.search(r'action="([^"]+)"', page.text)
        assert action, f"no login form: {page.status_code} {page.text[:200]}"
        form = urlsplit(html.unescape(action[1]))
        # Keycloak's cookies are for https only; here nothing encrypts, so they are carried by hand.
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in http.cookies.jar)
        there = f"{settings.keycloak_url.removesuffix('/id')}{form.path}?{form.query}"
        password = settings.secret("demo-password")
        reply = http.post(
            there, data={"username": username, "password": password}, headers={"Cookie": cookies}
        )
        code = parse_qs(urlsplit(reply.headers.get("location", "")).query).get("code")
        assert code, f"no code: {reply.status_code} {reply.text[:200]}"
        secret = settings.secret("gateway-client-secret")
        given = {
            "grant_type": "authorization_code",
            "code": code[0],
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        tokens = http.post(f"{realm}/protocol/openid-connect/token", data=given, auth=(CLIENT, secret))
        assert tokens.status_code == 200, tokens.text[:200]


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
