"""Who calls, as plain data. The token's verification is in chassis.identity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from chassis.words import REALM_ROLES

SYSTEM_ROLES = frozenset(REALM_ROLES)
ANY_SERVICE = "service"  # in a table of who may call: whichever service it is


@dataclass(frozen=True)
class Principal:
    """A verified caller.

    person: Keycloak's user id; posts: "<unit>:<role>", the primary post first; clearance: 0 none, 1 秘密, 2 机密, 3 绝密;
    roles: realm roles; session: Keycloak's session id; service: unit name for a service account, else ""; issued, expires: the token's
    times in seconds.
    """

    person: str
    name: str = ""
    username: str = ""
    posts: tuple[str, ...] = ()
    roles: frozenset[str] = frozenset()
    clearance: int = 0
    session: str = ""
    service: str = ""
    expires: int = 0
    issued: int = 0

    @cached_property
    def units(self) -> tuple[str, ...]:
        """Units in which the person has a post, the primary one first."""
        return tuple(dict.fromkeys(post.partition(":")[0] for post in self.posts))

    @property
    def unit(self) -> str:
        """The primary unit, or ''."""
        return self.units[0] if self.units else ""

    @cached_property
    def tokens(self) -> frozenset[str]:
        """All audience tokens that this person answers to."""
        own = {"all", f"p:{self.person}"}
        for unit in self.units:
            own |= {f"u:{unit}", f"u:{unit}:member"}
        return frozenset(own | {f"u:{post}" for post in self.posts})

    @cached_property
    def callers(self) -> frozenset[str]:
        """The names by which the table of who may call what knows this caller."""
        if self.service:
            return frozenset({f"service:{self.service}", ANY_SERVICE})
        names = set(self.roles & SYSTEM_ROLES)
        if self.posts:
            names.add("person")
            names |= {post.partition(":")[2] for post in self.posts}
        return frozenset(names)

    @property
    def mixed(self) -> bool:
        """Whether two administrators' roles, or one and a business post, are in one hand (three-role separation)."""
        held = len(self.roles & SYSTEM_ROLES)
        return held > 1 or (held == 1 and bool(self.posts))

    def has_post(self, unit: str, role: str) -> bool:
        """Whether this person holds that post."""
        return f"u:{unit}:{role}" in self.tokens
