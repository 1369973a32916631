"""What this service's methods are called in the matrix of rights, and what is decided about the single record beyond the table WHO.

method: (object, action, whose it must be). docs/rights.md is made of this and of WHO. Data only.
"""

from __future__ import annotations

RIGHTS = {
    "ListRooms": ("会议室", "查看会议室", ""),
    "SaveRoom": ("会议室", "登记、修改会议室", "会议室所属单位的文书"),
    "GetCalendar": ("会议室", "查看预约情况", "会议名称只对与会人显示"),
    "ListAvailability": ("会议室", "查询空闲会议室", "只列出本人可以预约的"),
    "ListMeetings": ("会议", "查看会议日程", "只列出本人的会议"),
    "GetMeeting": ("会议", "查看会议", "召集人、参会人和双方单位的文书、负责人"),
    "CallMeeting": ("会议", "召集会议", "以本人任职的单位召集"),
    "ChangeMeeting": ("会议", "变更会议", "召集人，召集单位的文书、负责人"),
    "CancelMeeting": ("会议", "取消会议", "召集人，召集单位的文书、负责人"),
    "AnswerInvitation": ("会议", "回执", "被通知的人或单位文书"),
    "MarkRead": ("会议", "标记已阅", "可以查看该会议的人"),
    "UrgeReceipts": ("会议", "催报回执", "召集人，召集单位的文书、负责人"),
}
