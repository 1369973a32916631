"""Opening a person's session at a legacy system, once at a time, with the vault's credential.

Into the jar of the login.
"""

from __future__ import annotations

import time
import uuid

import httpx

from chassis import log
from chassis.errors import Unavailable, WrongState
from chassis.identity_types import Principal
from chassis.store import Collection, Store
from portal.connectors.jar import Jar, Jars
from portal.connectors.signing_in import Report, sign_in
from portal.credentials import NONE, QUARANTINED, Credentials
from portal.model import App

_PATIENCE, _STALE = 20.0, 60.0
_log = log.get(__name__)


class Opening:
    """What the launcher, the proxy and the test button use."""

    def __init__(self, client: httpx.Client, credentials: Credentials, jars: Jars, store: Store) -> None:
        self.client = client
        self.jars = jars
        self._credentials = credentials
        self._attempts = store.collection("attempts")

    def jar(self, app: App, principal: Principal) -> Jar:
        """The jar of this login; signs in when there is none.

        Raises WrongState (no credential, quarantined, refused), Unavailable.
        """
        return self.jars.load(principal.session, app.id) or self.renew(app, principal, None)

    def renew(self, app: App, principal: Principal, stale: Jar | None) -> Jar:
        """Signs in anew, unless somebody else did so since `stale` was read."""
        with _Turn(self._attempts, f"{principal.person}|{app.id}"):
            present = self.jars.load(principal.session, app.id)
            if present is not None and (stale is None or present.cookies != stale.cookies):
                return present
            return self._sign_in(app, principal)

    def test(self, app: App, principal: Principal) -> tuple[bool, Report]:
        """Tries the person's own credential and reports; a credential in quarantine is not tried."""
        report = Report()
        try:
            return self._tested(app, principal, report), report
        except (Unavailable, WrongState):
            # The failed step stands in the report already.
            return False, report

    def _tested(self, app: App, principal: Principal, report: Report) -> bool:
        with _Turn(self._attempts, f"{principal.person}|{app.id}"):
            record = self._credentials.find(principal.person, app.id)
            if record.state in (NONE, QUARANTINED):
                sign_in(self.client, app, None, report)
                return False
            secret, record = self._credentials.usable(principal.person, app.id)
            jar, good = sign_in(self.client, app, secret, report)
            self._credentials.tried(record, good=good)
            if good and principal.session:
                self.jars.replace(principal.session, app.id, jar)
        return good

    def _sign_in(self, app: App, principal: Principal) -> Jar:
        secret, record = self._credentials.usable(principal.person, app.id)
        jar, good = sign_in(self.client, app, secret, Report())
        self._credentials.tried(record, good=good)
        _log.info("signed in at legacy system", app=app.id, good=good)
        if not good:
            # One refusal is enough: a second try with the same password could lock the person's account
            # there.
            raise WrongState(
                "CREDENTIAL_REFUSED",
                "该系统没有接受您保存的用户名或密码。为避免账号被锁定，不会再自动尝试，请重新填写。",
                "The system refused the credential; it is quarantined.",
            )
        self.jars.replace(principal.session, app.id, jar)
        return jar


class _Turn:
    """One attempt at a time per person and system, over all processes.

    A holder who died is overruled after a minute.
    """

    def __init__(self, collection: Collection, key: str) -> None:
        self._c = collection
        self._key = key
        self._holder = f"{time.time():.3f}|{uuid.uuid4().hex}"

    def __enter__(self) -> None:
        end = time.monotonic() + _PATIENCE
        while True:
            first = self._c.claim(self._key, self._holder)
            if first == self._holder:
                return
            if first and float(first.partition("|")[0]) < time.time() - _STALE:
                self._c.release(self._key, first)
            elif time.monotonic() > end:
                raise Unavailable("APP_BUSY", "正在登录该系统，请稍候再试。", "Another sign-in is under way.")
            else:
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._c.release(self._key, self._holder)
