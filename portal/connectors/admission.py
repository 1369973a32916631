"""Which requests may go on to a legacy system: the person's token, the system, the host and the method fit together."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from chassis.errors import Forbidden, TooMuch, not_found
from chassis.identity_types import Principal
from portal.model import App

PERSON = "tongban.principal"  # where `environ` holds who has been recognised
LARGEST_UPLOAD = 64 << 20
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_METHODS = _UNSAFE | {"GET", "HEAD", "OPTIONS"}
_PATH = re.compile(r"/_apps/([a-z0-9-]{1,32})(/[^#]*)?\Z")


class Admission:
    """The checks before anything is passed on. find: app id → record; verify: token → principal."""

    def __init__(
        self, find: Callable[[str], App | None], verify: Callable[[str], Principal], apps_domain: str
    ) -> None:
        self._find = find
        self._verify = verify
        self._domain = apps_domain

    def admit(self, environ: dict[str, Any]) -> tuple[App, Principal, str]:
        """The system, the person and the path that a request is for.

        Who is recognised stands in `environ`, also when the request is refused.

        Raises NotFound, NotSignedIn, Forbidden, TooMuch, and whatever `verify` raises.
        """
        # The raw path, so that what is encoded stays encoded on its way through.
        raw = environ.get("RAW_URI") or environ["PATH_INFO"] + (
            f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        )
        found = _PATH.match(raw)
        if found is None or not raw.isascii() or not raw.isprintable():
            raise not_found("页面")
        name, path = found.group(1), found.group(2) or "/"
        host = environ.get("HTTP_HOST", "").lower()
        if environ.get("HTTP_X_TONGBAN_APP") != name or host != f"{name}.{self._domain}".lower():
            raise not_found("页面")
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        principal = self._verify(token if scheme.lower() == "bearer" else "")
        environ[PERSON] = principal
        app = self._find(name)
        if app is None or app.connector.kind not in ("header", "form"):
            raise not_found("应用")
        if refusal := app.refusal(principal):
            raise Forbidden("APP_NOT_ALLOWED", f"{refusal}。", "This person may not open this system.")
        self._check_method(environ, host)
        return app, principal, path

    def _check_method(self, environ: dict[str, Any], host: str) -> None:
        method = environ["REQUEST_METHOD"]
        if method not in _METHODS:
            raise Forbidden("METHOD_REFUSED", "不支持该请求方式。", "This method is not passed on.")
        if method in _UNSAFE:
            # Old systems rarely defend against forged requests, so they are stopped here: only their own
            # pages may send.
            origin, site = environ.get("HTTP_ORIGIN", ""), environ.get("HTTP_SEC_FETCH_SITE", "same-origin")
            if site not in ("same-origin", "none") or (origin and urlsplit(origin).netloc.lower() != host):
                raise Forbidden(
                    "FOREIGN_REQUEST", "该请求来自其他网站，已拒绝。", "A foreign page sent this."
                )
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > LARGEST_UPLOAD:
            raise TooMuch("UPLOAD_TOO_LARGE", "上传的内容超过64MB。", "The upload is too large.")
