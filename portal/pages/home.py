"""The home page: what is to be done, and everything that one click opens; the person's own page.

The search over everything.
"""

from __future__ import annotations

from flask import Blueprint, g, render_template, request
from tongban.portal.v1 import apps_pb2, directory_pb2

from chassis import clock, units
from chassis.times import SHANGHAI
from portal.pages import calls
from portal.pages.rights import work_of

views = Blueprint("home", __name__, static_folder="static", static_url_path="/portal-static")
_GREETINGS = ((5, "夜深了"), (9, "早上好"), (12, "上午好"), (14, "中午好"), (18, "下午好"), (24, "晚上好"))


@views.get("/")
def index() -> str:
    answer = calls.apps().ListApps(apps_pb2.ListAppsRequest())
    may = [app for app in answer.apps if app.may_open]
    may_not = [app for app in answer.apps if not app.may_open]
    return render_template(
        "home.html", greeting=_greeting(), may=may, may_not=may_not, work=work_of(g.principal)
    )


@views.get("/me")
def me() -> str:
    return render_template("me.html", nav="me", principal=g.principal)


@views.get("/search")
def search() -> str:
    words = request.args.get("q", "").strip()[:100]
    people: list[directory_pb2.Person] = []
    if words:
        people = (
            calls.directory()
            .SearchPeople(directory_pb2.SearchPeopleRequest(words=words, page_size=10))
            .people
        )
    places = [place for place in units.places(g.principal) if place.search]
    return render_template("search.html", words=words, people=people, places=places)


@views.get("/notices")
def notices() -> str:
    return render_template("notices.html")


def _greeting() -> str:
    hour = clock.now().astimezone(SHANGHAI).hour
    return next(words for end, words in _GREETINGS if hour < end)
