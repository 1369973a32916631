"""The OpenID Connect protocol with Keycloak: what is sent and how each answer is checked.

Browser addresses are built from the public URL, calls of our own go to the internal one. No discovery
document is followed, so that nothing on the network can tell the gateway another endpoint.
"""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt

from chassis import log
from chassis.errors import NotSignedIn, Unavailable
from chassis.identity import LEEWAY, Verifier, away, granted
from chassis.settings import Settings

CLIENT = "gateway"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_OVER = ("invalid_grant", "session_not_active")
_log = log.get(__name__)


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gave out. `access_until` is in seconds of time.time()."""

    access: str
    refresh: str
    access_until: float
    identity: str = ""


class Refused(Exception):
    """Keycloak refused a code or a refresh token: the login is over, or never was."""


class Unanswered(Unavailable):
    """Keycloak was given something and gave no answer: whether it has used it up is not known."""


def _refused(why: str) -> NotSignedIn:
    return NotSignedIn("NOT_SIGNED_IN", "登录未完成，请重新登录。", f"Not signed in: {why}.")


class Oidc:
    """The client `gateway` of our realm."""

    def __init__(self, settings: Settings, verifier: Verifier) -> None:
        self._settings = settings
        self._verifier = verifier
        self._protocol = f"{settings.realm_url}/protocol/openid-connect"
        # A Keycloak that has just started takes its time; the renewal's lease is longer. No connection is kept: one from before a
        # restart breaks as if Keycloak had taken the token, and a pool closes idle ones that another thread has begun to use.
        self._http = httpx.Client(
            timeout=httpx.Timeout(15, connect=3),
            auth=(CLIENT, settings.secret("gateway-client-secret")),
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self.redirect_uri = f"{settings.public_url}/auth/callback"

    def authorize_url(self, state: str, nonce: str, code_verifier: str, *, fresh: bool = False) -> str:
        """Where the browser goes to log in; `fresh` asks for the password again."""
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
        )
        query = {
            "response_type": "code",
            "scope": "openid",
            "client_id": CLIENT,
            "redirect_uri": self.redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if fresh:
            query["prompt"] = "login"
        return f"{self._settings.issuer}/protocol/openid-connect/auth?{urlencode(query)}"

    def exchange(self, code: str, code_verifier: str) -> Tokens:
        """The tokens for a code.

        Raises Refused, Unavailable.
        """
        return self._token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=code_verifier,
        )

    def refresh(self, refresh_token: str) -> Tokens:
        """New tokens; the old refresh token is dead afterwards.

        Raises Refused; Unavailable, when Keycloak has not had the token; Unanswered, when it may have.
        """
        return self._token(grant_type="refresh_token", refresh_token=refresh_token)

    def end(self, refresh_token: str) -> None:
        """End the Keycloak session.

        Raises Unavailable; a session that is gone already is no error.
        """
        reply = self._post("logout", {"refresh_token": refresh_token})
        if not (reply.is_success or _over(reply)):
            _log.warning("logout not accepted", status=reply.status_code, error=_error_of(reply))
            raise away()

    def answers(self) -> bool:
        """Whether somebody could sign in now, found out within a second or two."""
        address = f"{self._settings.realm_url}/.well-known/openid-configuration"
        try:
            return self._http.get(address, timeout=1, auth=None).is_success
        except httpx.HTTPError:
            return False

    def check_id_token(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that answers our login.

        Raises NotSignedIn, Unavailable.
        """
        claims = self._claims(token, ["exp", "iat", "iss", "aud", "sub", "nonce"])
        if claims.get("typ") != "ID" or claims["nonce"] != nonce or claims.get("azp", CLIENT) != CLIENT:
            raise _refused("this ID token answers another login")
        return claims

    def check_logout_token(self, token: str) -> dict[str, Any]:
        """The claims of a back-channel logout token (section 2.6); whether `jti` is new is not asked.

        Raises NotSignedIn, Unavailable.
        """
        claims = self._claims(token, ["exp", "iat", "iss", "aud", "jti"])
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
            raise _refused("not a logout token")
        if "nonce" in claims or not isinstance(claims.get("sid"), str) or not isinstance(claims["jti"], str):
            raise _refused("not a logout token of a session")
        return claims

    def _claims(self, token: str, required: list[str]) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
                raise _refused("wrong algorithm")
            key = self._verifier.key(header["kid"])
            claims = jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                audience=CLIENT,
                issuer=self._settings.issuer,
                leeway=LEEWAY,
                options={"require": required},
            )
        except (jwt.InvalidTokenError, ValueError, TypeError) as problem:
            raise _refused(type(problem).__name__) from problem
        return dict(claims)

    def _token(self, **form: str) -> Tokens:
        started = time.time()
        return _tokens(self._post("token", form), started)

    def _post(self, endpoint: str, form: dict[str, str]) -> httpx.Response:
        try:
            return self._http.post(f"{self._protocol}/{endpoint}", data=form)
        except httpx.HTTPError as problem:
            _log.warning("identity provider away", endpoint=endpoint, problem=repr(problem))
            if isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
                raise away() from problem
            told = away()
            raise Unanswered(told.reason, told.zh, told.en) from problem


def _tokens(reply: httpx.Response, started: float) -> Tokens:
    if _over(reply):
        raise Refused(_error_of(reply))
    access, seconds, answer = granted(reply)
    if not isinstance(answer.get("refresh_token"), str):
        _log.warning("no refresh token from the identity provider")
        raise away()
    return Tokens(
        access=access,
        refresh=answer["refresh_token"],
        access_until=started + seconds,
        identity=str(answer.get("id_token", "")),
    )


def _over(reply: httpx.Response) -> bool:
    """Whether Keycloak says that the login is over, or never was.

    Not so when it refuses us: a wrong client secret is the operator's mistake and must neither log everybody out nor let a logout
    count as done.
    """
    return reply.status_code in (400, 401, 403) and _error_of(reply) in _OVER


def _error_of(reply: httpx.Response) -> str:
    try:
        return str(reply.json().get("error", ""))
    except (ValueError, AttributeError):
        return ""
