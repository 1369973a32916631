"""What the tree must not hold: secrets, other people's servers in pages, inline code, English for clerks."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from jinja2 import Environment

from tests.rules import tree

TEXT = {
    ".py",
    ".html",
    ".js",
    ".css",
    ".json",
    ".toml",
    ".md",
    ".proto",
    ".yaml",
    ".yml",
    ".conf",
    ".template",
    ".sh",
    ".java",
    ".svg",
    "",
}
SECRETS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20}",
    "a token": r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{10,}\.",
    "a cloud key": r"\b(?:AKIA|LTAI|AKID)[A-Za-z0-9]{12,}\b",
    "a forge's token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,})\b",
    "a password in an address": (
        r"\b(?:mongodb(?:\+srv)?|nats|https?|postgres|redis|amqp)://"
        r"[^\s:/@\"'{}<>]+:[^\s/@\"'{}<>$]{3,}@"
    ),
    "a written password": (
        r"(?i)\b(?:password|passwd|secret|api_?key|client_secret)\b[\"']?\s*[:=]\s*[\"'][!-~]{6,}?[\"']"
    ),
}
# Names of things, and invented passwords of the samples: what is written there opens nothing.
NO_SECRET = re.compile(r"deploy/samples/|(?:^|/)tests/|^tests/|uv\.lock$|^docs/")
PLAIN_WORDS = re.compile(
    r"[\"'](?:password|username|secret|[a-z-]*-(?:password|secret|key)|[a-z_]+(?:_field|_path)?"
    r"|[A-Z_]+)[\"']$"
)


def texts():
    return [
        path
        for path in tree.files()
        if path.suffix in TEXT and path.name != "uv.lock" and path.stat().st_size < 2_000_000
    ]


def test_there_are_no_secrets_in_the_tree():
    found = []
    for path in texts():
        content = path.read_text(errors="replace")
        for what, pattern in SECRETS.items():
            for hit in re.finditer(pattern, content):
                written = "password" in what
                if written and (NO_SECRET.search(tree.short(path)) or PLAIN_WORDS.search(hit[0])):
                    continue
                found.append(f"{tree.short(path)}: {what}: {hit[0][:60]}")
    assert not found


def test_no_secret_lies_in_a_file_of_its_own():
    names = re.compile(
        r"\.(?:key|pem|p12|pfx|jks|crt)$|^id_[a-z0-9]+$|^\.env|\.htpasswd$|^demo-password|-secret$"
    )
    assert not [tree.short(path) for path in tree.files() if names.search(path.name)]


def shown():
    """Templates and static files of our own: everything that a browser is given."""
    folders = {"templates", "static", "errors"}
    found = [
        path
        for path in tree.files("chassis", "services", "gateway", "portal", "deploy/edge")
        if folders & set(path.parts)
    ]
    return [
        path
        for path in found
        if path.suffix in {".html", ".css", ".js", ".svg", ".json", ".webmanifest"} and not tree.is_test(path)
    ]


@pytest.mark.parametrize("path", shown(), ids=tree.short)
def test_a_browser_is_sent_nowhere_else(path):
    """No CDN, no registry, no font or picture of another server: an office's network has no way out."""
    # A namespace is a name; an example in a hint is nothing that a browser fetches.
    content = re.sub(r"http://(?:www\.w3\.org|10\.1\.2\.3)", "", path.read_text())
    assert not re.findall(r"(?:https?:|wss?:)//[^\s\"'`)]+", content)
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["']//|url\(\s*["']?//|@import""", content)


def templates():
    return [path for path in shown() if path.suffix == ".html"]


# The services' and the portal's templates stand in chassis/web/tests/test_templates.py; these are the others.
REST = [
    path
    for path in templates()
    if tree.below(tree.short(path).replace("/", "."), "gateway", "chassis.web.templates")
]
INLINE = re.compile(r"<[a-z][^>{]*\s(?:style|on[a-z]+)=|<script(?![^>]*\ssrc=)|<style\b|javascript:")


@pytest.mark.parametrize("path", REST, ids=tree.short)
def test_a_template_holds_no_inline_code(path):
    assert not INLINE.findall(path.read_text())


@pytest.mark.parametrize("path", templates(), ids=tree.short)
def test_nothing_is_marked_as_safe_in_a_template(path):
    """Escaping is switched off nowhere; what is HTML already comes as Markup from code that made it so."""
    assert not re.findall(r"\|\s*safe\b|autoescape\s+false", path.read_text())


# Names of formats and systems that are so called in Chinese offices, too.
LATIN = {
    "pdf",
    "ofd",
    "docx",
    "doc",
    "word",
    "excel",
    "xlsx",
    "wps",
    "html",
    "txt",
    "md",
    "markdown",
    "zip",
    "ocr",
}
LATIN |= {
    "api",
    "url",
    "http",
    "https",
    "json",
    "openapi",
    "rest",
    "saml",
    "oidc",
    "cas",
    "css",
    "id",
    "ip",
    "ajax",
    "sha",
}
LATIN |= {
    "tongban",
    "keycloak",
    "csrf",
    "cookie",
    "ctrl",
    "enter",
    "esc",
    "tab",
    "kb",
    "mb",
    "gb",
    "qr",
    "cst",
    "etag",
    "basic",
}
SPOKEN = {"title", "alt", "placeholder", "aria-label", "aria-description", "label"}
# For programmers, who read the API in English.
FOR_PROGRAMMERS = {"gateway/templates/docs.html"}


class Words(HTMLParser):
    """Collects what people read: text nodes and the attributes that browsers show or speak."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.read = []
        self._silent = 0

    def handle_starttag(self, tag, attrs):
        self._silent += tag in ("script", "style", "code", "pre", "template")
        self.read += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag):
        self._silent -= tag in ("script", "style", "code", "pre", "template")

    def handle_data(self, data):
        if not self._silent:
            self.read.append(data)


@pytest.mark.parametrize(
    "path", [path for path in templates() if tree.short(path) not in FOR_PROGRAMMERS], ids=tree.short
)
def test_a_clerk_meets_no_english_word(path):
    words = Words()
    words.feed(
        "".join(
            text for _, kind, text in Environment(autoescape=True).lex(path.read_text()) if kind == "data"
        )
    )
    # Where a macro writes half a tag, its attributes look like text.
    text = re.sub(r"""[\w-]+="[^"]*"?|[\w.:/-]+@[\w.]+|/[\w/.-]+""", " ", " ".join(words.read))
    english = [word for word in re.findall(r"[A-Za-z]{3,}", text) if word.lower() not in LATIN]
    assert not english
