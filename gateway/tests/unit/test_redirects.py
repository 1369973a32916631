"""# check 14: no redirect leaves the origin."""

from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.redirects import safe_path

HOST = "evil.example"
PAYLOADS = [
    f"https://{HOST}",
    f"http://{HOST}/",
    f"//{HOST}",
    f"///{HOST}",
    f"////{HOST}/%2e%2e",
    f"/\\{HOST}",
    f"\\/{HOST}",
    f"\\\\{HOST}",
    f"/\\/{HOST}",
    f"/{chr(9)}/{HOST}",
    f"/{chr(10)}/{HOST}",
    f"/{chr(13)}/{HOST}",
    f"{chr(9)}//{HOST}",
    f" //{HOST}",
    f"/ /{HOST}",
    f"https:{HOST}",
    f"https:/{HOST}",
    f"https:\\\\{HOST}",
    f"HTTPS://{HOST}",
    f"hTtP:{HOST}",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    f"/%2f%2f{HOST}",
    f"/%2F/{HOST}",
    f"/%5c{HOST}",
    f"/%5C%5C{HOST}",
    f"/%252f%252f{HOST}",
    f"/%09/{HOST}",
    f"/%0d%0aLocation:%20https://{HOST}",
    "/x%0d%0aSet-Cookie:a=b",
    f"/.//{HOST}",
    f"/x/..//{HOST}",
    f"https://localhost:8443@{HOST}",
    f"//localhost:8443@{HOST}",
    f"https://localhost:8443.{HOST}",
    f".{HOST}",
    f"@{HOST}",
    f"localhost.{HOST}",
    f"//{HOST}\\@localhost",
    f"/〱{HOST}",
    f"／／{HOST}",
    f"/\u2028/{HOST}",
    f"/\x00/{HOST}",
    f"//%E3%80%82{HOST}",
    "file:///etc/passwd",
    f"ftp://{HOST}",
    "//",
    "///",
    "/\\",
    "\\",
    "",
    None,
    "x",
    "?next=/",
    "#x",
    "/" + "a" * 3000,
    "/auth/login",
    "/auth/logout?x=1",
    "/id/realms/tongban/protocol/openid-connect/logout",
    "/.tongban/enter?ticket=x",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payload_leads_home(payload):  # check 14
    assert safe_path(payload) == "/"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/documents/",
        "/documents/x%2fy?a=b&c=d",
        "/search?q=%E5%85%AC%E6%96%87",
        "/x?u=https://other.example/",
        "/a;b=c",
        "/x#y",
    ],
)
def test_path_of_ours_is_kept(path):
    assert safe_path(path) == path


def test_default_of_the_caller():
    assert safe_path("//evil.example", "/apps") == "/apps"


@given(st.text(alphabet="/\\%25cCfF09aA.:@?#evil \t\n\r", max_size=40))
def test_whatever_comes_stays_on_the_origin(text):  # check 14
    there = urljoin("https://localhost:8443/auth/callback", "https://localhost:8443" + safe_path("/" + text))
    assert urlsplit(there).netloc == "localhost:8443"


@given(st.text(max_size=30))
def test_encoded_text_is_harmless(text):
    assert safe_path("/search?q=" + quote(text, safe="")).startswith("/search?q=")


def test_count():
    print(f"check 14: {len(PAYLOADS)} payloads, 0 off-site")
    assert len(PAYLOADS) >= 40
