"""python -m deploy.samples.headersite.

A report system that believes whatever stands in the header X-Remote-User.

Such systems stand behind a web server that signs people in. Like many, it reads the header through CGI
names, so it takes every spelling that a careless proxy lets through; the page shows each one it got.
"""

from __future__ import annotations

import html
import re

from flask import Flask, Response, request

from deploy.samples.listening import serve

FIGURES = [("一季度", 128.4, 6.1), ("二季度", 141.9, 6.4), ("三季度", 137.2, 5.8), ("四季度", 155.6, 6.7)]


def create_site() -> Flask:
    """The site as a WSGI program."""
    site = Flask(__name__)

    @site.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @site.get("/")
    def report() -> Response:
        names = _believed()
        if len(names) != 1:
            return _page("<p>未识别到用户，请从统一门户进入。</p>", 401)
        rows = "".join(
            f"<tr><td>{when}</td><td>{value}</td><td>{growth}%</td></tr>" for when, value, growth in FIGURES
        )
        return _page(
            f"<p>当前用户：<b id=who>{html.escape(names[0])}</b></p>"
            "<table border=1 cellpadding=6><caption>生产总值统计报表</caption>"
            f"<tr><th>季度<th>总值（亿元）<th>同比</tr>{rows}</table>"
        )

    @site.get("/headers")
    def headers() -> Response:
        lines = "\n".join(f"{name}: {value}" for name, value in request.headers)
        return Response(lines, mimetype="text/plain")

    return site


def _believed() -> list[str]:
    """The values of all headers whose name is X-Remote-User to somebody who does not look closely."""
    return [value for name, value in request.headers if re.sub(r"[^a-z]", "", name.lower()) == "xremoteuser"]


def _page(body: str, status: int = 200) -> Response:
    text = f"<!doctype html><meta charset=utf-8><title>统计报表</title><h2>区统计局数据报表</h2>{body}"
    return Response(text, status, mimetype="text/html")


if __name__ == "__main__":
    serve(create_site())
