"""A person's credential for one system.

One record per person and system, with what became of it when it was last tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis import clock
from chassis.aggregate import Aggregate, Request
from chassis.errors import TongbanError, WrongState, invalid
from chassis.repository import Repository, anyone
from portal.vault import Secret, Unsealable, Vault

UNTRIED, GOOD, QUARANTINED, NONE = "untried", "good", "quarantined", "none"


@dataclass(kw_only=True)
class Credential(Aggregate):
    """state "quarantined": the system refused it once.

    It is not tried again until the person enters it anew, so that no account gets locked. state "none":
    forgotten.
    """

    person: str
    app: str
    username: str = ""
    sealed: bytes = b""
    state: str = NONE
    saved_at: datetime | None = None
    tried_at: datetime | None = None


class Credentials:
    """All credentials, sealed by the vault."""

    def __init__(self, repository: Repository[Credential], vault: Vault) -> None:
        self._repository = repository
        self._vault = vault

    def find(self, person: str, app: str) -> Credential:
        """The credential's record; one in the state "none" when there is no other."""
        found = self._repository.find(_key(person, app))
        return found or Credential(id=_key(person, app), person=person, app=app)

    def save(self, person: str, app: str, secret: Secret, request: Request) -> Credential:
        """Keeps a new credential in place of an older one.

        Raises InvalidInput.
        """
        if not 0 < len(secret.username) <= 128 or not secret.username.isprintable():
            raise invalid(username="请填写该系统的用户名")
        if not 0 < len(secret.password) <= 256:
            raise invalid(password="请填写该系统的密码")  # noqa: S106
        sealed = self._vault.seal_secret(secret, person, app)

        def step(record: Credential) -> None:
            record.username, record.sealed, record.state = secret.username, sealed, UNTRIED
            record.saved_at, record.tried_at = clock.now(), None

        return self._change(person, app, request, step)

    def forget(self, person: str, app: str, request: Request) -> Credential:
        """Takes the credential out of the vault."""

        def step(record: Credential) -> None:
            record.username, record.sealed, record.state = "", b"", NONE
            record.saved_at = record.tried_at = None

        return self._change(person, app, request, step)

    def usable(self, person: str, app: str) -> tuple[Secret, Credential]:
        """The credential, opened, with the record it stands in.

        Raises WrongState: none is there, it is quarantined, or it does not open.
        """
        record = self.find(person, app)
        if record.state == NONE:
            raise WrongState(
                "NO_CREDENTIAL", "请先填写您在该系统的用户名和密码。", "No credential for this system."
            )
        if record.state == QUARANTINED:
            raise WrongState(
                "CREDENTIAL_QUARANTINED",
                "该系统上次拒绝了您保存的密码。为避免账号被锁定，已停止自动登录，请重新填写密码。",
                "The system refused this credential; enter it anew.",
            )
        try:
            return self._vault.open_secret(record.sealed, person, app), record
        except Unsealable as problem:
            raise WrongState(
                "CREDENTIAL_LOST", "保存的密码无法读取，请重新填写。", "The credential does not open."
            ) from problem

    def tried(self, record: Credential, *, good: bool) -> None:
        """Notes what became of a try, unless the person entered another credential meanwhile."""
        moment = clock.now()

        def step(present: Credential) -> None:
            if present.sealed == record.sealed:
                present.state, present.tried_at = (GOOD if good else QUARANTINED), moment

        self._repository.change(record.id, Request(key=f"tried|{moment.isoformat()}"), step, anyone)

    def _change(self, person: str, app: str, request: Request, step: object) -> Credential:
        key = _key(person, app)
        if self._repository.find(key) is None:
            fresh = Credential(id=key, person=person, app=app)
            step(fresh)  # type: ignore[operator]
            try:
                return self._repository.add(fresh, request)
            except TongbanError:
                if self._repository.find(key) is None:
                    raise
        return self._repository.change(key, request, step, anyone)  # type: ignore[arg-type]


def _key(person: str, app: str) -> str:
    return f"{person}|{app}"
