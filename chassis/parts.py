"""What the code of a service may stand on: its database, the broker, the directory, files, tokens and the audit."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from chassis.audit import Audit
from chassis.bus_thread import BusThread
from chassis.directory import Directory
from chassis.ended import Ended
from chassis.files import Files
from chassis.identity import ServiceToken, Verifier
from chassis.relay import wake_subject
from chassis.repository import Repository
from chassis.settings import Settings
from chassis.store import Store

SESSION_ENDED = "tongban.session.ended"


class Parts:
    """What the code of a service may stand on; each part is made when it is first asked for."""

    def __init__(self, given: Settings) -> None:
        self.settings = given

    @cached_property
    def store(self) -> Store:
        """This service's database."""
        return Store(self.settings)

    @cached_property
    def bus(self) -> BusThread:
        """The broker, for hints, watches and pushes."""
        return BusThread(self.settings).start()

    @cached_property
    def directory(self) -> Directory:
        """Names of units and people."""
        return Directory(self.bus)

    @cached_property
    def files(self) -> Files:
        """This service's files."""
        return Files(self.store)

    @cached_property
    def verifier(self) -> Verifier:
        """Verifies tokens; hears of ended sessions."""
        verifier = Verifier(self.settings, self.ended).learn()
        self.bus.subscribe(SESSION_ENDED, lambda _subject, data: verifier.end_session(data.decode()))
        return verifier

    @cached_property
    def audit(self) -> Audit:
        """What is done, refused and opened here, on record."""
        return Audit(self.settings, lambda: self.bus)

    @cached_property
    def ended(self) -> Ended:
        """Logins that have ended."""
        return Ended(self.bus)

    @cached_property
    def token(self) -> ServiceToken:
        """This service's own access token, for calls that no person makes."""
        return ServiceToken(self.settings)

    def close(self) -> None:
        """Give back what was opened."""
        made = vars(self)
        if "audit" in made:
            self.audit.close()
        if "bus" in made:
            self.bus.close()
        if "store" in made:
            self.store.close()

    def repository(self, kind: type, collection: str, **how: Any) -> Repository[Any]:
        """A repository of this service whose saves wake the relay."""
        subject = wake_subject(self.settings.service)
        return Repository(
            self.store, self.settings.service, kind, collection,
            wake=lambda intent: self.bus.hint(subject, intent.encode()), **how,
        )  # fmt: skip
