"""The deployment's own certificate authority and its server certificate, made by openssl.

Browsers warn until somebody trusts ca.crt; an office puts a certificate of its own in the same two files.
"""

import subprocess
from pathlib import Path

from deploy.local.say import Refusal

_NAMES = "DNS:localhost,DNS:apps.localhost,DNS:*.apps.localhost,IP:127.0.0.1"
_CA_DAYS = 3650
# Browsers refuse server certificates which are valid for longer.
_SERVER_DAYS = 397
_RENEW_SECONDS = 30 * 24 * 3600


def ensure(folder: Path) -> Path:
    """Make what is missing or near its end in `folder`; returns the authority's certificate."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority, server = folder / "ca.crt", folder / "server.crt"
    if not _lasts(authority):
        _make_authority(folder)
        server.unlink(missing_ok=True)
    if not _lasts(server):
        _make_server(folder)
    return authority


def _lasts(certificate: Path) -> bool:
    if not certificate.is_file():
        return False
    check = ["openssl", "x509", "-checkend", str(_RENEW_SECONDS), "-noout", "-in", str(certificate)]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def _openssl(*arguments: str | Path) -> None:
    command = ["openssl", *(str(argument) for argument in arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        raise Refusal(
            f"openssl could not make the local certificate ({said[-1] if said else 'it said nothing'})."
        )


def _new_key(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def _make_authority(folder: Path) -> None:
    _new_key(folder / "ca.key")
    subject = "/O=Tongban/CN=Tongban local authority"
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    files = ("-key", folder / "ca.key", "-out", folder / "ca.crt")
    _openssl("req", "-x509", "-new", "-sha256", "-days", str(_CA_DAYS), "-subj", subject, *usage, *files)


def _make_server(folder: Path) -> None:
    _new_key(folder / "server.key")
    request, extensions = folder / "server.csr", folder / "server.ext"
    extensions.write_text(
        f"subjectAltName={_NAMES}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
        "keyUsage=digitalSignature\n"
    )
    _openssl(
        "req", "-new", "-key", folder / "server.key", "-subj", "/O=Tongban/CN=localhost", "-out", request
    )
    authority = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial")
    times = ("-days", str(_SERVER_DAYS), "-sha256", "-extfile", extensions)
    _openssl("x509", "-req", "-in", request, *authority, *times, "-out", folder / "server.crt")
    request.unlink()
    extensions.unlink()
