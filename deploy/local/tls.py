"""The deployment's own certificate authorities, made by openssl: one for browsers, one for the units among themselves.

Browsers warn until somebody trusts ca.crt; an office puts a certificate of its own in server.crt and server.key. The units'
authority is another one, because what a browser was told to trust must not open a service, nor the other way round.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from deploy.local.say import Refusal
from deploy.local.secretfiles import write_private

_NAMES = "DNS:localhost,DNS:apps.localhost,DNS:*.apps.localhost,IP:127.0.0.1"
_CA_DAYS = 3650
# Browsers refuse server certificates which are valid for longer.
_SERVER_DAYS = 397
_RENEW_SECONDS = 30 * 24 * 3600
# A unit's certificate is made anew at every start and, while the platform runs, when so much of its life is left.
_UNIT_DAYS = 14
_UNIT_RENEW_SECONDS = 7 * 24 * 3600


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


def ensure_units(folder: Path, names: Iterable[str], *, anew: bool) -> None:
    """One file <unit>.pem for each name, key and certificate, by the authority ca.crt in `folder`; nobody else keeps one.

    anew: also those that would last. Processes that run take a changed file up by themselves.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _lasts(folder / "ca.crt"):
        _make_authority(folder)
        anew = True
    wanted = {folder / f"{name}.pem" for name in names}
    for path in set(folder.glob("*.pem")) - wanted:
        path.unlink()
    for path in sorted(wanted):
        if anew or not _lasts(path, _UNIT_RENEW_SECONDS):
            _make_unit(folder, path)


def _lasts(certificate: Path, seconds: int = _RENEW_SECONDS) -> bool:
    if not certificate.is_file():
        return False
    check = ["openssl", "x509", "-checkend", str(seconds), "-noout", "-in", str(certificate)]
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


def _make_unit(folder: Path, path: Path) -> None:
    key, certificate = path.with_suffix(".key.new"), path.with_suffix(".crt.new")
    _new_key(key)
    # The name is the unit's, and no host's: whoever calls `documents` insists on it, wherever that listens.
    usage = ("-addext", "extendedKeyUsage=serverAuth,clientAuth", "-addext", "keyUsage=digitalSignature")
    kind = ("-addext", f"subjectAltName=DNS:{path.stem}", "-addext", "basicConstraints=critical,CA:FALSE")
    authority = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key")
    named = ("-subj", f"/O=Tongban/CN={path.stem}", "-key", key, "-out", certificate)
    _openssl("req", "-x509", "-new", "-sha256", "-days", str(_UNIT_DAYS), *named, *authority, *kind, *usage)
    # One file, so that nobody ever reads a new key beside an old certificate.
    write_private(path, key.read_text() + certificate.read_text())
    key.unlink()
    certificate.unlink()
