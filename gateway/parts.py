"""Everything the gateway stands on, composed once per process and after any fork."""

from __future__ import annotations

from functools import cached_property

from chassis.errors import NotSignedIn
from chassis.identity_types import Principal
from chassis.parts import SESSION_ENDED, Parts
from chassis.settings import text
from gateway import auditing
from gateway.announcing import Announcer
from gateway.ending import Ending
from gateway.entries import Entries
from gateway.logins import Logins
from gateway.oidc import Oidc
from gateway.once import Once
from gateway.renewal import Renewal
from gateway.sessions import Session, Sessions


class GatewayParts(Parts):
    """chassis' parts, and those of the gateway."""

    @cached_property
    def oidc(self) -> Oidc:
        """The protocol with Keycloak."""
        return Oidc(self.settings, self.verifier)

    @cached_property
    def once(self) -> Once:
        """What may be used once."""
        return Once(self.store)

    @cached_property
    def announcer(self) -> Announcer:
        """Tells of ended logins."""
        return Announcer(self.store, self.bus)

    @cached_property
    def ending(self) -> Ending:
        """Logout."""
        return Ending(self.oidc)

    @cached_property
    def sessions(self) -> Sessions:
        """Browser sessions."""
        _ = self.announcer  # which goes on with what an earlier process left
        sessions = Sessions(
            self.store,
            self._secret,
            ended=self._announce,
            expired=self._expired,
        )
        self.bus.subscribe(SESSION_ENDED, lambda _subject, data: sessions.drop_remembered(data.decode()))
        return sessions

    @cached_property
    def renewal(self) -> Renewal:
        """Fresh tokens."""
        return Renewal(
            self.sessions,
            self.oidc,
            lambda session: auditing.ended(self.audit, session, "BY_IDENTITY_PROVIDER"),
        )

    @cached_property
    def logins(self) -> Logins:
        """Logins under way."""
        return Logins(self._secret, self.once)

    @cached_property
    def entries(self) -> Entries:
        """Sessions on hosts of legacy systems."""
        return Entries(self.store, self.once, self.sessions)

    @property
    def apps_domain(self) -> str:
        """The domain below which each legacy system has its host, with the port if there is one."""
        return text("APPS_DOMAIN", "apps.localhost:8443")

    @property
    def _secret(self) -> str:
        return self.settings.secret("gateway-client-secret")

    def alive(self, session: Session | None) -> tuple[Session, Principal] | None:
        """`session` with a valid token and the person it speaks for; None when there is none to be had."""
        fresh = self.renewal.fresh(session) if session else None
        if fresh is None:
            return None
        try:
            return fresh, self.verifier.verify(fresh.access, alive=True)
        except NotSignedIn:
            return None

    def _expired(self, session: Session) -> None:
        auditing.ended(self.audit, session, "IDLE")
        self.ending.later(self.sessions, session)

    def _announce(self, login: str) -> None:
        # This process refuses at once, also while the broker is away; the others hear of it.
        self.verifier.end_session(login)
        self.announcer.tell(login)
        self.bus.hint(SESSION_ENDED, login.encode())
