"""Verification of access tokens: signature, issuer, audience, kind, time, and whether the session has ended.

Only RS256 with a key of the realm's own JWKS is accepted; `jku`, `x5u` and `jwk` headers are never followed. Keys are fetched
again for an unknown `kid`, but at most once in 30 seconds. A verified token is remembered until it expires.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import Any

import httpx
import jwt

from chassis import log, loops
from chassis.ended import Ended
from chassis.errors import NotSignedIn, Unavailable
from chassis.identity_types import Principal
from chassis.settings import Settings

LEEWAY = 30  # seconds of clock skew
REFETCH = 30.0  # seconds between two fetches of the key set
PAUSE = 1.0  # the same while no key is known at all
LEARN = 5.0  # the same while nobody has asked for any
REMEMBERED = 20_000  # verified tokens kept in memory
_log = log.get(__name__)


def _refused(why: str) -> NotSignedIn:
    return NotSignedIn("NOT_SIGNED_IN", "登录已失效，请重新登录。", f"Not signed in: {why}.")


def away() -> Unavailable:
    """The identity provider does not answer, or not as it should; what it said instead is for the log."""
    return Unavailable(
        "IDENTITY_UNAVAILABLE",
        "统一身份认证暂时不可用，请稍后再试。",
        "The identity provider does not answer.",
    )


class Verifier:
    """Verifies access tokens of one realm. Safe for use by many threads."""

    def __init__(self, settings: Settings, ended: Ended | None = None) -> None:
        self._settings = settings
        self._ended = ended or Ended()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._again = 0.0  # not before this may the key set be fetched
        self._lock = threading.Lock()
        self._fetching = threading.Lock()
        self._known: OrderedDict[bytes, Principal] = OrderedDict()

    def learn(self) -> Verifier:
        """Begin to fetch the keys: by the time of this process's first token the identity provider may be away."""
        loops.in_thread(self._learn, None, LEARN, trouble="keys not known yet")
        return self

    def _learn(self) -> None:
        with self._fetching:
            if not self._keys:
                self._fetch()
            if not self._keys:
                raise away()

    def verify(self, token: str, *, alive: bool = False) -> Principal:
        """Who presents `token`; `alive`: the caller knows by its own records that this login has not ended.

        Raises NotSignedIn for anything but a valid, current access token; Unavailable when keys cannot be had, or when nobody could
        say yet whether the login has ended (chassis.ended).
        """
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        principal = self._known.get(digest)
        if principal is None:
            principal = self._decode(token)
            with self._lock:
                self._known[digest] = principal
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        if principal.expires + LEEWAY < time.time():
            raise _refused("expired")
        if self._ended.holds(principal):
            raise _refused("the session has ended")
        if not alive:
            self._ended.insist_on_knowing(principal)
        return principal

    def end_session(self, session: str) -> None:
        """Refuse every token of this Keycloak session from now on."""
        self._ended.end_login(session)

    def _decode(self, token: str) -> Principal:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.InvalidTokenError, ValueError, RecursionError) as problem:
            raise _refused("malformed token") from problem
        if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
            raise _refused("wrong algorithm")
        key = self.key(header["kid"])
        try:
            claims = jwt.decode(
                token, key.key, algorithms=["RS256"], audience="tongban", issuer=self._settings.issuer,
                leeway=LEEWAY, options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )  # fmt: skip
            # Keycloak signs ID and logout tokens with the same key; only `typ` tells them from an access token.
            if claims.get("typ") != "Bearer":
                raise _refused("not an access token")
            return principal_of(claims)
        except jwt.ImmatureSignatureError as problem:
            # Signing in again would not help: this machine's clock is behind Keycloak's.
            _log.warning("token of the future: is this machine's clock right?")
            raise NotSignedIn(
                "NOT_SIGNED_IN",
                "登录尚未生效：服务器时间可能不准，请联系系统管理员。",
                "The token is not valid yet.",
            ) from problem
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as problem:
            raise _refused(type(problem).__name__) from problem

    def key(self, kid: str) -> jwt.PyJWK:
        """The realm's public key of this id.

        Raises NotSignedIn for an unknown one, Unavailable when keys cannot be had.
        """
        key = self._keys.get(kid)
        if key is not None:
            return key
        with self._fetching:
            if kid not in self._keys and time.monotonic() >= self._again:
                self._fetch()
        key = self._keys.get(kid)
        if key is None and not self._keys:
            raise away()
        if key is None:
            raise _refused("unknown key")
        return key

    def _fetch(self) -> None:
        try:
            reply = httpx.get(f"{self._settings.realm_url}/protocol/openid-connect/certs", timeout=3)
            reply.raise_for_status()
            keys = jwt.PyJWKSet.from_dict(reply.json()).keys
        except (httpx.HTTPError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as problem:
            _log.warning("no keys from the identity provider", problem=str(problem) or type(problem).__name__)
            # Known keys still serve, and the unknown one is refused; without any, calls that wait do not each wait for a reply.
            self._again = time.monotonic() + (REFETCH if self._keys else PAUSE)
            return
        self._keys = {key.key_id: key for key in keys if key.key_id and key.public_key_use in (None, "sig")}
        self._again = time.monotonic() + REFETCH
        _log.info("keys fetched", keys=len(self._keys))


def principal_of(claims: dict[str, Any]) -> Principal:
    """The caller that verified claims speak of.

    Raises NotSignedIn for one who unites what no account may: however Keycloak came to say so, the token opens nothing.
    """
    client = str(claims.get("azp", ""))
    name = str(claims.get("preferred_username", ""))
    service = client[4:] if client.startswith("svc-") and name == f"service-account-{client}" else ""
    posts = claims.get("posts") or []
    principal = Principal(
        person=str(claims["sub"]),
        name=str(claims.get("name", "")),
        username=name,
        posts=tuple(str(post) for post in posts) if isinstance(posts, list) else (str(posts),),
        roles=frozenset(str(role) for role in claims.get("roles") or ()),
        clearance=int(claims.get("clearance") or 0),
        session=str(claims.get("sid", "")),
        service=service,
        expires=int(claims["exp"]),
        issued=int(claims.get("iat") or 0),
    )
    if principal.mixed:
        raise NotSignedIn(
            "ROLES_MIXED",
            "三员分立：该账号兼有不能并存的角色，请联系安全管理员。",
            "Roles that exclude each other.",
        )
    return principal


def granted(reply: httpx.Response) -> tuple[str, float, dict[str, Any]]:
    """The access token in an answer of the token endpoint, the seconds that it lives, and the whole answer.

    Raises Unavailable for an answer that grants nothing.
    """
    try:
        reply.raise_for_status()
        answer = reply.json()
        token, seconds = answer["access_token"], float(answer["expires_in"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as problem:
        _log.warning("no token from the identity provider", problem=repr(problem)[:200])
        raise away() from problem
    if not isinstance(token, str):
        _log.warning("no token from the identity provider", problem=f"it is {type(token).__name__}")
        raise away()
    return token, seconds, answer


class ServiceToken:
    """This service's own access token (client credentials), renewed a minute before it expires."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = ""
        self._until = self._expires = 0.0
        self._lock = threading.Lock()

    def get(self) -> str:
        """A valid token.

        Raises Unavailable when Keycloak does not answer.
        """
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    self._renew()
                except Unavailable:
                    # The old one may still be good for the rest of its last minute.
                    if time.monotonic() >= self._expires:
                        raise
            return self._token

    def _renew(self) -> None:
        client = f"svc-{self._settings.service}"
        try:
            reply = httpx.post(
                f"{self._settings.realm_url}/protocol/openid-connect/token",
                data={"grant_type": "client_credentials"},
                auth=(client, self._settings.secret(client)),
                timeout=5,
            )
        except httpx.HTTPError as problem:
            raise away() from problem
        self._token, seconds, _ = granted(reply)
        self._until = time.monotonic() + max(5, seconds - 60)
        self._expires = time.monotonic() + seconds
