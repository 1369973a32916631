"""What people upload, handed out again: every way in, every way out, and a real browser that opens it."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import Error, sync_playwright

from tests.checks.test_files import NAMES
from tests.e2e.conftest import FLAGS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
HIT = "document.title='executed';console.log('executed');fetch('/executed')"
EVIL = {
    "a.html": f"<!doctype html><script>{HIT}</script>".encode(),
    "a.svg": f'<svg xmlns="http://www.w3.org/2000/svg" onload="{HIT}"><script>{HIT}</script></svg>'.encode(),
    "a.pdf": f"<!doctype html><script>{HIT}</script>%PDF-1.7 ".encode(),
    "b.pdf": f"%PDF-1.7\n<html><script>{HIT}</script>".encode(),
    "a.gif": b"GIF89a/*<script>" + HIT.encode() + b"</script>*/=1;" + HIT.encode(),
    "a.xml": f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><script>{HIT}</script></html>'.encode(),
    "a.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><script>{HIT}</script></html>'.encode(),
    "a.md": f'<script>{HIT}</script>\n[x](javascript:{HIT})\n<img src=x onerror="{HIT}">'.encode(),
    "a.js": HIT.encode(), "a.txt": f"<script>{HIT}</script>".encode(), "a.docx": f"<script>{HIT}</script>".encode(),
}  # fmt: skip
PARTS = {"sandbox", "default-src 'none'"}


def post(browser, path, data, files=()):
    body = [("files", (name, content, kind)) for name, content, kind in files]
    return browser.ask(
        "POST",
        path,
        data={"_csrf": browser.csrf, **data},
        files=body or None,
        headers={"X-CSRF-Token": browser.csrf},
    )


@pytest.fixture(scope="module")
def drafter(browsers):
    return browsers("qfb.mishu1")


@pytest.fixture(scope="module")
def draft(drafter):
    """A draft with every evil file, each claiming to be a PDF."""
    made = post(
        drafter, "/documents/outgoing/new", {"title": "关于附件的通知", "genre": "通知", "body": "正文"}
    )
    assert made.status_code in (302, 303), made.text[-500:]
    key = re.search(r"/outgoing/([0-9a-f]+)", made.headers["location"])[1]
    edit = f"/documents/outgoing/{key}/edit"
    for name, content in EVIL.items():
        given = {"title": "关于附件的通知", "genre": "通知", "body": "正文"}
        said = post(drafter, edit, given, [(name, content, "application/pdf")])
        assert said.status_code in (302, 303), said.text[-800:]
    return key


@pytest.fixture(scope="module")
def places(drafter, draft):
    """Every address at which one of the files is handed out."""
    page = (
        drafter.get(f"/documents/outgoing/{draft}/edit").text
        + drafter.get(f"/documents/outgoing/{draft}").text
    )
    found = sorted(set(re.findall(rf"/documents/outgoing/{draft}/files/[0-9a-f]{{64}}", page)))
    assert len(found) == len(set(EVIL.values()))
    found += [f"{one}?inline=1" for one in found] + [
        one.replace("/documents/", "/api/v1/documents/") for one in found
    ]
    for name in ("a.md", "a.html", "a.txt"):
        said = post(
            drafter,
            "/knowledge/new",
            {"title": f"资料 {name}", "kind": "reference", "audience": "all", "text": "正文"},
            [(name, EVIL[name], "text/html")],
        )
        if said.status_code in (302, 303):
            shown = drafter.get(said.headers["location"])
            found += sorted(
                set(re.findall(r"/knowledge/items/[^\"'? ]+/files/[0-9a-f]{64}/[^\"'? ]+", shown.text))
            )
            found.append(said.headers["location"].partition("?")[0])
    assert any("/knowledge/items/" in one and "/files/" in one for one in found)
    return found


def test_every_file_leaves_as_a_download_that_nobody_runs(drafter, places):
    """# check 28"""
    files = [one for one in places if "/files/" in one]
    assert {"documents", "knowledge", "api"} == {one.split("/")[1] for one in files}
    for place in files:
        answer = drafter.get(place)
        assert answer.status_code == 200, place
        policy = answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert all(part in policy for part in PARTS), (place, policy)
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind not in (
            "text/html",
            "image/svg+xml",
            "application/xml",
            "text/xml",
            "application/xhtml+xml",
            "text/javascript",
        ), place
        way = answer.headers["content-disposition"].partition(";")[0]
        assert way == "attachment" or (
            way == "inline" and kind == "application/pdf" and b"%PDF-" in answer.content[:1024]
        ), (place, way)
    print(
        f"check 28: {len(files)} addresses of {len(EVIL)} files of wrong kinds: attachment, nosniff, sandbox; only a PDF is shown in place"
    )


def test_chromium_runs_nothing_of_it(stack, drafter, places):
    """# check 28: each address opened as a page, in a frame, as an image and as a script, in a signed-in browser."""
    executed = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        context = chromium.new_context(ignore_https_errors=True)
        context.add_cookies(
            [
                {
                    "name": "__Host-tongban",
                    "value": drafter.cookie("__Host-tongban"),
                    "url": stack.url,
                    "secure": True,
                    "httpOnly": True,
                }
            ]
        )
        page = context.new_page()
        page.on("console", lambda said: executed.append(said.text) if said.text == "executed" else None)
        page.on(
            "request", lambda asked: executed.append(asked.url) if asked.url.endswith("/executed") else None
        )
        for place in places:
            # A download is no page: Chromium says so.
            with contextlib.suppress(Error):
                page.goto(stack.url + place, timeout=8000)
            assert page.title() != "executed", place
        page.goto(f"{stack.url}/tasks/")
        frames = "".join(
            f'<iframe src="{place}"></iframe><object data="{place}"></object><embed src="{place}"><img src="{place}"><script src="{place}"></script>'
            for place in places if "/files/" in place
        )  # fmt: skip
        page.evaluate("frames => { const here = document.createElement('div'); here.innerHTML = frames; document.body.append(here); "
                      "for (const old of here.querySelectorAll('script')) { const made = document.createElement('script'); made.src = old.src; here.append(made); } }", frames)  # fmt: skip
        with contextlib.suppress(Error):
            page.wait_for_load_state("networkidle", timeout=5000)
        context.close()
        chromium.close()
    assert not executed
    print(
        f"check 28: {len(places)} addresses in Chromium as page, frame, object, image and script: 0 executed"
    )


def test_names_come_out_as_names(drafter):
    """# check 26: the 60 names up through the page and down through the page and the API: one header, one bare name."""
    from urllib.parse import unquote

    given = {"title": "关于文件名的通知", "genre": "通知", "body": "正文"}
    made = post(drafter, "/documents/outgoing/new", given)
    key = re.search(r"/outgoing/([0-9a-f]+)", made.headers["location"])[1]
    kept, refused = 0, 0
    # Twenty files fit a document; each is taken out again.
    for number, name in enumerate(NAMES):
        # A browser sends what the name is in its own file system; the rest is for those who send by hand.
        sendable = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22").replace("\x00", "%00")
        content = f"文件 {number}".encode()
        said = post(
            drafter, f"/documents/outgoing/{key}/edit", given, [(sendable[:900], content, "text/plain")]
        )
        if said.status_code == 422:
            assert "文件名" in said.text
            refused += 1
            continue
        assert said.status_code in (302, 303), (name, said.status_code, said.text[-300:])
        page = drafter.get(f"/documents/outgoing/{key}/edit").text
        found = re.search(rf"/documents/outgoing/{key}/files/([0-9a-f]{{64}})", page)
        if found is None:
            refused += 1
            continue
        for place in (found[0], found[0].replace("/documents/", "/api/v1/documents/")):
            header = drafter.get(place).headers["content-disposition"]
            shown = unquote(header.partition("filename*=UTF-8''")[2])
            assert not set(shown) & set('/\\:"\r\n\x00'), (name, header)
            assert shown not in ("", ".", ".."), (name, header)
        kept += 1
        post(drafter, f"/documents/outgoing/{key}/files/remove", {"digest": found[1]})
    print(
        f"check 26: {len(NAMES)} names through pages and API: {kept} came out as bare names, {refused} refused"
    )
