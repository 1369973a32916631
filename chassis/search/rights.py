"""Who is asking, and the clause that keeps every query to what that reader may see."""

from dataclasses import dataclass, field
from typing import Self

import tantivy

from chassis.search.document import key
from chassis.search.errors import InvalidEntry, InvalidQuery
from chassis.search.schema import LEVELS, LIVE


@dataclass(frozen=True)
class Reader:
    """Who is asking: the tokens this person holds and the highest level the person is cleared for.

    Tokens are those of `Entry.readers`. Somebody without tokens, or with a clearance below 0, finds nothing.
    """

    tokens: frozenset[str]
    clearance: int
    _unlimited: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if (
            not isinstance(self.tokens, frozenset)
            or isinstance(self.clearance, bool)
            or not isinstance(self.clearance, int)
        ):
            raise TypeError("a reader needs a frozenset of tokens and an integer clearance")
        for token in self.tokens:
            valid(token)

    @classmethod
    def everything(cls) -> Self:
        """Give the reader that sees all entries: for maintenance, never for a user's request."""
        reader = cls(frozenset(), LEVELS - 1)
        object.__setattr__(reader, "_unlimited", True)
        return reader

    def rights(self) -> list[str]:
        """Give the terms of which a document must have one."""
        if self._unlimited:
            return [LIVE]
        return [
            f"{token}@{level}"
            for token in sorted(self.tokens)
            for level in range(min(self.clearance, LEVELS - 1) + 1)
        ]


def rights(schema: tantivy.Schema, reader: Reader) -> tantivy.Query:
    """Make the clause that every query must contain."""
    return tantivy.Query.const_score_query(
        tantivy.Query.term_set_query(schema, "_rights", reader.rights()), 0.0
    )


def valid(value: object) -> str:
    """Check a reader's token or a value to filter by."""
    try:
        return key(value)
    except InvalidEntry as error:
        raise InvalidQuery(str(error)) from error
