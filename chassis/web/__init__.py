"""The pages' one factory and one component kit; the contract is README.md in this folder."""

from chassis.web.answers import go, htmx, paged, toast
from chassis.web.app import create_app
from chassis.web.forms import form_date, form_errors, form_request_id, form_time

__all__ = [
    "create_app",
    "form_date",
    "form_errors",
    "form_request_id",
    "form_time",
    "go",
    "htmx",
    "paged",
    "toast",
]
