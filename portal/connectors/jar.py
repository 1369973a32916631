"""Cookies of legacy systems.

They live here, sealed, one jar per login and system; no browser ever sees one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from email.utils import parsedate_to_datetime

from chassis.errors import Conflict
from chassis.records import attempts
from chassis.store import Record, Store
from chassis.sweeping import sweep
from portal.vault import Unsealable, Vault

MOST, LONGEST = 80, 4096
SECONDS = 10 * 3600.0  # as long as a login can last at most


@dataclass
class Cookie:
    """One cookie. expires: seconds since 1970, 0 for the session."""

    name: str
    value: str
    path: str = "/"
    expires: float = 0.0
    secure: bool = False


@dataclass
class Jar:
    """The cookies of one legacy session."""

    cookies: list[Cookie] = field(default_factory=list)

    def header(self, path: str, *, secure: bool) -> str:
        """The value of the Cookie header for a request to `path`; '' when nothing matches."""
        now = time.time()
        fitting = [
            cookie
            for cookie in self.cookies
            if _below(path.partition("?")[0], cookie.path)
            and (secure or not cookie.secure)
            and not 0 < cookie.expires < now
        ]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)

    def take(self, set_cookies: Iterable[str], host: str, path: str) -> bool:
        """Takes in Set-Cookie headers of an answer from `host` to a request for `path`.

        Whether anything changed.
        """
        before = [asdict(cookie) for cookie in self.cookies]
        for text in set_cookies:
            cookie = _parse(text, host, path)
            if cookie is None:
                continue
            key = (cookie.name, cookie.path)
            # An expiry in the past is how a server takes a cookie away.
            fresh = [] if 0 < cookie.expires < time.time() else [cookie]
            places = [place for place, one in enumerate(self.cookies) if (one.name, one.path) == key]
            if places:
                self.cookies[places[0] : places[0] + 1] = fresh
            else:
                self.cookies = [*self.cookies, *fresh][-MOST:]
        return before != [asdict(cookie) for cookie in self.cookies]

    def value(self, name: str) -> str:
        """The value of a cookie by its name, '' when absent."""
        return next((cookie.value for cookie in self.cookies if cookie.name == name), "")


def _parse(text: str, host: str, path: str) -> Cookie | None:
    first, *rest = text.split(";")
    name, equals, value = first.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name or len(first) > LONGEST or not (name + value).isprintable():
        return None
    facts = {key.strip().lower(): given.strip() for key, _, given in (part.partition("=") for part in rest)}
    domain = facts.get("domain", "").lstrip(".").lower()
    if domain and domain != host and not host.endswith(f".{domain}"):
        return None
    given = facts.get("path", "")
    directory = path.partition("?")[0].rpartition("/")[0] or "/"
    return Cookie(
        name, value, given if given.startswith("/") else directory, _expiry(facts), "secure" in facts
    )


def _expiry(facts: dict[str, str]) -> float:
    if facts.get("max-age", "").lstrip("-").isdecimal():
        seconds = int(facts["max-age"])
        return time.time() + seconds if seconds > 0 else 1.0
    try:
        return max(1.0, parsedate_to_datetime(facts["expires"]).timestamp()) if facts.get("expires") else 0.0
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _below(path: str, above: str) -> bool:
    return path == above or (path.startswith(above) and (above.endswith("/") or path[len(above)] == "/"))


class Jars:
    """Jars in the database: <session>|<app>."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._records = store.collection("jars")
        self._vault = vault

    def load(self, session: str, app: str) -> Jar | None:
        """The jar of this login for this system; None when there is none yet."""
        record = self._records.get(_key(session, app))
        return self._opened(record) if record and record["until"] > time.time() else None

    def load_all(self, session: str, apps: Iterable[str]) -> dict[str, Jar]:
        """All jars of a login, by system."""
        records = self._records.get_many(_key(session, app) for app in apps)
        opened = {key.partition("|")[2]: self._opened(record) for key, record in records.items()}
        return {app: jar for app, jar in opened.items() if jar is not None}

    def replace(self, session: str, app: str, jar: Jar) -> None:
        """Keeps a jar in place of whatever was there: after a new sign-in the older cookies are void."""
        self._change(session, app, lambda _: jar)

    def take(self, session: str, app: str, set_cookies: list[str], host: str, path: str) -> None:
        """Takes in an answer's cookies, also while other requests of the same page do so."""

        def step(jar: Jar) -> Jar | None:
            return jar if jar.take(set_cookies, host, path) else None

        self._change(session, app, step)

    def drop(self, session: str, app: str) -> None:
        """Forgets a jar."""
        self._records.remove(_key(session, app))

    def sweep(self) -> int:
        """Removes jars of logins that must have ended by now; returns how many."""
        now = time.time()
        return sweep(self._records, lambda record: record["until"] < now)

    def _change(self, session: str, app: str, step: object) -> None:
        key = _key(session, app)
        for saving in attempts():
            record = self._records.get(key)
            jar = step((self._opened(record) if record else None) or Jar())  # type: ignore[operator]
            if jar is None:
                return
            fields = {"sealed": self._sealed(key, jar), "until": time.time() + SECONDS}
            with saving:
                if record is None:
                    self._records.insert({"_id": key, "revision": 1, **fields})
                else:
                    self._records.save({**record, **fields}, [])
                return
        raise Conflict("TOO_BUSY", "同时打开的页面过多，请稍后再试。", "Too many requests change one jar.")

    def _sealed(self, key: str, jar: Jar) -> bytes:
        plain = json.dumps([asdict(cookie) for cookie in jar.cookies]).encode()
        return self._vault.seal(plain, f"jar|{key}")

    def _opened(self, record: Record) -> Jar | None:
        try:
            plain = self._vault.open(record["sealed"], f"jar|{record['_id']}")
        except Unsealable:
            return None  # Sealed with an older key: the person is signed in anew.
        return Jar([Cookie(**cookie) for cookie in json.loads(plain)])


def _key(session: str, app: str) -> str:
    return f"{session}|{app}"
