"""Takes in what is told about obligations and keeps the to-do lists in step.

The obligation is saved first, then the lists follow it. Two processes may work on one obligation at once, and a process may die
after the first step; so whoever has written a list reads the obligation again and goes on until it no longer changes, and an
event that was only half taken in is delivered again and finishes the lists.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from chassis.aggregate import Request
from chassis.errors import too_busy
from chassis.records import attempts
from chassis.repository import Repository, anyone
from chassis.streams import push_subject
from services.tasks.model import Obligation
from services.tasks.repository import TodoLists, part_of

TURNS = 64
Push = Callable[[str, bytes], None]


class Ledger:
    """Obligations and lists together. push(subject, data) is a hint to whoever shows a list right now; it may get lost."""

    def __init__(self, obligations: Repository[Obligation], lists: TodoLists, push: Push) -> None:
        self._obligations = obligations
        self._lists = lists
        self._push = push
        # Events of one record come together when many are handled at once: better to wait than to lose the race for it.
        self._turns = [threading.Lock() for _ in range(TURNS)]

    def take_in(self, key: str, request: Request, merge: Callable[[Obligation], bool]) -> None:
        """Merge something into the obligation `key`, which is begun when it is not known yet, and let the lists follow.

        merge returns False when it brings nothing new; then nothing is saved, but the lists are looked at all the same.
        """
        self.follow(self._merged(key, request, merge))

    def _merged(self, key: str, request: Request, merge: Callable[[Obligation], bool]) -> Obligation:
        for beginning in attempts():
            known = self._obligations.find(key)
            if known is not None:
                # `known` is a copy: whether it would change decides if there is anything to save.
                return self._obligations.change(key, request, merge, anyone) if merge(known) else known
            fresh = Obligation(id=key)
            merge(fresh)
            with beginning:
                return self._obligations.add(fresh, request)
        raise too_busy()

    def follow(self, obligation: Obligation) -> None:
        """Make every list say what the obligation, as it was just saved or read, says, and tell those whose list changed."""
        changes: dict[str, str] = {}
        while True:
            if obligation.facts is not None:
                # The present holder's list first: for a moment it stands in two lists, but never in none.
                for holder in sorted(
                    obligation.holders, key=lambda token: (token != obligation.holder, token)
                ):
                    with self._turns[hash(part_of(holder, obligation.id)) % TURNS]:
                        changed = self._lists.follow(holder, obligation)
                    if changed:
                        changes[holder] = changed
            again = self._obligations.get(obligation.id)
            if again.revision == obligation.revision:
                break
            obligation = again
        for holder, change in changes.items():
            self._tell(obligation, holder, change)

    def _tell(self, obligation: Obligation, holder: str, change: str) -> None:
        summary = obligation.summary()
        # A push reaches everybody who answers to the token, cleared or not; so it never carries a classified title.
        title = summary.title if summary.level == 0 else ""
        told = {
            "event": "todo",
            "change": change,
            "title": title,
            "action": summary.action,
            "link": summary.link,
        }
        self._push(push_subject(holder), json.dumps(told, ensure_ascii=False).encode())
