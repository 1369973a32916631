"""Document numbers: 机关代字 + 〔year〕 + running number, without gap and without double.

A series gives a number to a document that is irrevocably signed, and remembers to whom until the document has taken it. If the
process dies in between, the same document gets the same number again; no other can.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chassis.aggregate import Aggregate

REMEMBERED = 500


@dataclass(kw_only=True)
class Series(Aggregate):
    """One running series: id = "<code>|<year>"; given: document id → number, the newest ones."""

    last: int = 0
    given: dict[str, int] = field(default_factory=dict)

    def give(self, holder: str) -> int:
        """The number of `holder`: the one it already has, or the next."""
        if holder not in self.given:
            self.last += 1
            self.given[holder] = self.last
            while len(self.given) > REMEMBERED:
                del self.given[next(iter(self.given))]
        return self.given[holder]


def series_id(code: str, year: int) -> str:
    """The id of the series of one code in one year."""
    return f"{code}|{year}"


def document_number(code: str, year: int, number: int) -> str:
    """The number as printed, e.g. 云政办发〔2026〕12号 (GB/T 9704-2012 7.2.5)."""
    return f"{code}〔{year}〕{number}号"


def incoming_number(year: int, number: int) -> str:
    """A unit's own number of an incoming document, e.g. 收〔2026〕12号."""
    return f"收〔{year}〕{number}号"
