"""What this service's methods are called in the matrix of rights, and what is decided about the single record beyond the table WHO.

method: (object, action, whose it must be). docs/rights.md is made of this and of WHO. Data only.
"""

from __future__ import annotations

RIGHTS = {
    "ListTodo": ("待办", "查看待办", "只列出本人的"),
    "GetTodoCount": ("待办", "查看待办数", "只计本人的"),
    "ListDone": ("待办", "查看已办", "只列出本人的"),
    "ListSent": ("待办", "查看交办的事项", "只列出本人或本单位交办的"),
    "ListUnitObligations": ("待办", "查看单位承办事项", "本单位及上级单位的负责人、领导"),
    "GetStatistics": ("待办", "查看办理统计", "本单位及上级单位的负责人、领导"),
    "GetObligation": ("待办", "查看事项", "承办人、交办人和双方单位的负责人，且密级不高于本人"),
    "Urge": ("待办", "催办", "交办人，交办单位的文书、负责人、领导"),
    "CreateTask": ("任务", "交办任务", "以本人任职的单位交办"),
    "GetTask": ("任务", "查看任务", "交办人、承办人和交办单位的负责人、领导"),
    "ReportProgress": ("任务", "报告进展", "承办人"),
    "CompleteTask": ("任务", "办结", "承办人"),
    "ReturnTask": ("任务", "退回任务", "承办人"),
    "SettleReturn": ("任务", "处理退回", "交办人、交办单位负责人"),
    "CancelTask": ("任务", "撤销任务", "交办人、交办单位负责人"),
}
