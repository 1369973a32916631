"""A room that can be booked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chassis.aggregate import Aggregate
from chassis.errors import invalid

_ID = re.compile(r"[a-z0-9-]{1,32}")
NAME, LOCATION, EQUIPMENT, LARGEST = 60, 100, 200, 5000


@dataclass(kw_only=True)
class Room(Aggregate):
    """One room of a unit; `shared`: other organisations may book it, too; `closed`: nobody may any more."""

    name: str
    unit: str
    location: str = ""
    capacity: int = 0
    equipment: str = ""
    shared: bool = True
    closed: bool = False

    def check(self) -> None:
        """Raise InvalidInput unless this can be a room."""
        wrong: dict[str, str] = {}
        if not _ID.fullmatch(self.id):
            wrong["room__room"] = "会议室编号只能由小写字母、数字和“-”组成，不超过32个字符。"
        if not 1 <= len(self.name.strip()) <= NAME:
            wrong["room__name"] = f"请填写会议室名称，不超过{NAME}字。"
        if not 0 <= self.capacity <= LARGEST:
            wrong["room__capacity"] = f"容纳人数应在0到{LARGEST}之间。"
        if len(self.location) > LOCATION or len(self.equipment) > EQUIPMENT:
            wrong["room__location"] = "位置或设备说明过长。"
        if wrong:
            raise invalid(**wrong)
