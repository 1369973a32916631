"""The rules of this service: plain data, no I/O.

obligation: what is owed, as learnt from events; todo: the list of one holder; task: 交办 from anybody to anybody.
"""

from services.tasks.model.obligation import Closing, Facts, Holding, Obligation, Summary, Urged, Urging
from services.tasks.model.task import Assignment, Closed, Opened, Progress, Task
from services.tasks.model.todo import Count, Item, TodoList, count, in_order, overdue, pressing

__all__ = [
    "Assignment",
    "Closed",
    "Closing",
    "Count",
    "Facts",
    "Holding",
    "Item",
    "Obligation",
    "Opened",
    "Progress",
    "Summary",
    "Task",
    "TodoList",
    "Urged",
    "Urging",
    "count",
    "in_order",
    "overdue",
    "pressing",
]
