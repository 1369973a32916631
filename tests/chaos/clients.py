"""One client of the store: `python -m tests.chaos.clients MONGO NATS SERVICE NUMBER VAR`, until its standard input is closed.

Works on keys that change every PERIOD, through chassis.store and chassis.repository as a service does, and writes every operation
with its begin, end and answer (JSON lines) to standard output. The clock is the machine's monotonic one, the same for all clients.
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from pathlib import Path
from typing import Any

from chassis.aggregate import Request
from chassis.errors import Conflict, Exists, TongbanError, Unavailable
from chassis.repository import anyone
from chassis.store import Store
from chassis.tests.helpers import Thing, settings, things

PERIOD = 2.0  # seconds
KEYS = 4  # of each kind, at a time


class Client:
    """Its operations, each written down."""

    def __init__(self, store: Store, service: str, number: int, var: Path) -> None:
        self.number, self.count = number, 0
        self.registers = store.collection("registers")
        self.lists = things(store, settings(var, service=service), "lists")
        self.random = random.Random(number)
        self.known: dict[str, tuple[int, str]] = {}

    def step(self) -> None:
        """One operation on one of the present keys."""
        key = f"{int(time.monotonic() / PERIOD)}-{self.random.randrange(KEYS)}"
        self.count += 1
        word = f"{self.number}.{self.count}"
        kind = self.random.choice(
            (self.read, self.write, self.write, self.read_list, self.append, self.append)
        )
        kind(key, word)

    def read(self, key: str, _word: str) -> None:
        self._told("register", key, "read", None, lambda: self._look(key), effect=False)

    def _look(self, key: str) -> Any:
        found = self.registers.get(key)
        if found is None:
            return None
        self.known[key] = (found["revision"], found["value"])
        return self.known[key]

    def write(self, key: str, word: str) -> None:
        """Compare-and-set with what was last seen, which may be old; or create it."""
        if key not in self.known:
            record = {"_id": key, "revision": 0, "value": word}
            if self._told(
                "register", key, "create", word, lambda: self._wins(lambda: self.registers.insert(record))
            ):
                self.known[key] = (0, word)
            else:
                self.read(key, word)
            return
        revision = self.known[key][0]
        record = {"_id": key, "revision": revision, "value": word}
        if self._told(
            "register",
            key,
            "cas",
            (revision, word),
            lambda: self._wins(lambda: self.registers.save(record, [])),
        ):
            self.known[key] = (revision + 1, word)
        else:
            del self.known[key]

    def _wins(self, write: Any) -> bool:
        try:
            write()
        except (Conflict, Exists):
            return False
        return True

    def read_list(self, key: str, _word: str) -> None:
        def look() -> Any:
            found = self.lists.find(key)
            return list(found.words) if found else []

        self._told("list", key, "read", None, look, effect=False)

    def append(self, key: str, word: str) -> None:
        """Through the repository; whoever has no answer asks again with the same request, as a browser does."""

        def once() -> Any:
            while True:
                try:
                    if self.lists.find(key) is None:
                        # Its own request id: whoever is second finds it there.
                        self._wins(lambda: self.lists.add(Thing(id=key), Request(f"begin-{word}")))
                    return list(
                        self.lists.change(
                            key, Request(word), lambda one: one.words.update({word: ""}), anyone
                        ).words
                    )
                except Unavailable:
                    time.sleep(0.05)

        began = time.monotonic()
        answer = once()
        # A repeated request is answered with the list as it is by then, so only an answer that ends in our word tells where it stands.
        self._tell(
            "list", key, "append", word, began, time.monotonic(), answer if answer[-1] == word else None
        )

    def _told(self, what: str, key: str, kind: str, given: Any, call: Any, *, effect: bool = True) -> Any:
        began = time.monotonic()
        try:
            answer = call()
        except TongbanError:
            if effect:
                self._tell(what, key, kind, given, began, None, None)
            return None
        self._tell(what, key, kind, given, began, time.monotonic(), answer)
        return answer

    def _tell(
        self, what: str, key: str, kind: str, given: Any, began: float, ended: float | None, answer: Any
    ) -> None:
        print(json.dumps([what, key, kind, given, began, ended, answer]), flush=True)


def main() -> None:
    mongo, nats, service, number, var = sys.argv[1:6]
    given = settings(Path(var), service=service, mongo_uri=mongo, nats_url=nats)
    client = Client(Store(given), service, int(number), Path(var))
    while not select.select([sys.stdin], [], [], 0)[0]:
        client.step()


if __name__ == "__main__":
    main()
