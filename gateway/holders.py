"""Who is listening: the open streams by the audience tokens that their reader answers to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chassis.streams import push_subject

# A name and its data, as they go out.
Event = tuple[str, dict[str, Any]]
SESSION_ENDED: Event = ("session-ended", {})
QUEUE = 100  # events that a slow reader may be behind before the stream is dropped


@dataclass(eq=False)
class Listener:
    """One open stream. `lost`: it ends when what is queued has gone out."""

    person: str
    login: str
    subjects: frozenset[str]
    queue: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    lost: bool = False

    def tell(self, event: Event) -> None:
        """Queue one event; a reader who does not keep up is let go."""
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            # The browser connects again and reads what it missed from the services.
            self.lost = True


class Holders:
    """All open streams of this process. Used by one event loop only."""

    def __init__(self) -> None:
        self._by_subject: dict[str, set[Listener]] = defaultdict(set)
        self._by_login: dict[str, set[Listener]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(len(listeners) for listeners in self._by_login.values())

    def of_person(self, person: str) -> int:
        """How many streams a person has open."""
        return len(self._by_subject.get(push_subject(f"p:{person}"), ()))

    def enter(self, person: str, login: str, tokens: Iterable[str]) -> Listener:
        """A new stream for somebody who answers to these audience tokens."""
        listener = Listener(person, login, frozenset(push_subject(token) for token in tokens))
        for subject in listener.subjects:
            self._by_subject[subject].add(listener)
        self._by_login[login].add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """The stream is closed."""
        for subject in listener.subjects:
            _drop(self._by_subject, subject, listener)
        _drop(self._by_login, listener.login, listener)

    def push(self, subject: str, event: Event) -> None:
        """Tell everybody who answers to the token behind `subject`."""
        for listener in tuple(self._by_subject.get(subject, ())):
            listener.tell(event)

    def end(self, login: str) -> None:
        """End the streams of one login."""
        for listener in tuple(self._by_login.get(login, ())):
            listener.tell(SESSION_ENDED)
            listener.lost = True


def _drop(table: dict[str, set[Listener]], key: str, listener: Listener) -> None:
    listeners = table.get(key)
    if listeners is not None:
        listeners.discard(listener)
        if not listeners:
            del table[key]
