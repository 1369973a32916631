"""Who speaks to whom between processes: this unit's certificate, and what is demanded of the other side.

The setting TONGBAN_CERTIFICATES names a folder with ca.crt, the authority of the units, and <unit>.pem, this unit's key and
certificate. Or it is the word `plain`: no certificates, for a service inside a test, and on the loopback only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import grpc

from chassis.settings import SettingMissing, required

PLAIN = "plain"
_IDENTITY = "x509_subject_alternative_name"
_LOOPBACK = re.compile(r"(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+")
_KEY = re.compile(rb"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----\s*", re.DOTALL)


@dataclass(frozen=True)
class Identity:
    """One unit's certificate and the authority that it trusts, as files that may be renewed at any time."""

    folder: Path
    unit: str

    @property
    def file(self) -> Path:
        """Key and certificate in one file, so that they always belong together."""
        return self.folder / f"{self.unit}.pem"

    @property
    def stamp(self) -> int:
        """Changes when the certificate is renewed."""
        try:
            return self.file.stat().st_mtime_ns
        except FileNotFoundError as problem:
            raise SettingMissing(f"The unit {self.unit} has no certificate in {self.folder}.") from problem

    def pieces(self) -> tuple[bytes, bytes, bytes]:
        """The authority, the key, the certificate, in PEM.

        Raises SettingMissing.
        """
        authority = self.folder / "ca.crt"
        if not self.stamp or not authority.is_file():
            raise SettingMissing(f"The units' authority ca.crt is missing in {self.folder}.")
        content = self.file.read_bytes()
        key = _KEY.search(content)
        if key is None:
            raise SettingMissing(f"{self.file} holds no key.")
        return authority.read_bytes(), key[0], content.replace(key[0], b"")


def identity() -> Identity | None:
    """This process's own; None where everything is plain.

    Raises SettingMissing: to speak in clear must be said, and is never what happens for want of a setting.
    """
    folder = required("CERTIFICATES")
    return None if folder == PLAIN else Identity(Path(folder), required("SERVICE"))


def open_channel(
    address: str, unit: str, options: list[tuple[str, object]], own: Identity | None
) -> grpc.Channel:
    """A channel to `unit`, which must prove to be that unit.

    Raises SettingMissing.
    """
    if own is None:
        _insist_on_loopback(address)
        return grpc.insecure_channel(address, options)
    authority, key, certificate = own.pieces()
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    return grpc.secure_channel(address, credentials, [*options, ("grpc.ssl_target_name_override", unit)])


def listen(server: grpc.Server, address: str, own: Identity | None) -> int:
    """Give a server its port, which takes nobody without a certificate of the units' authority; returns the port's number.

    Raises SettingMissing.
    """
    if own is None:
        _insist_on_loopback(address)
        return int(server.add_insecure_port(address))
    known = own.stamp
    first = _configuration(own)

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal known
        if own.stamp == known:
            return None
        known = own.stamp
        return _configuration(own)

    # Asked at every handshake, so that a renewed certificate needs no restart.
    credentials = grpc.dynamic_ssl_server_credentials(first, renewed, require_client_authentication=True)
    return int(server.add_secure_port(address, credentials))


def peer(rpc: grpc.ServicerContext) -> str:
    """The unit whose certificate the other side has proved to hold; '' where everything is plain."""
    # The whole of what is known of the certificate, rpc.auth_context(), takes ten times as long to hand over.
    names = list(rpc.peer_identities() or ())
    return names[0].decode() if len(names) == 1 and rpc.peer_identity_key() == _IDENTITY else ""


def admitted(unit: str) -> frozenset[str] | None:
    """The units that may call `unit`; None where everything is plain.

    Raises SettingMissing.
    """
    return None if required("CERTIFICATES") == PLAIN else frozenset(required(f"PEERS_{unit.upper()}").split())


def _configuration(own: Identity) -> grpc.ServerCertificateConfiguration:
    authority, key, certificate = own.pieces()
    return grpc.ssl_server_certificate_configuration([(key, certificate)], authority)


def _insist_on_loopback(address: str) -> None:
    if not _LOOPBACK.fullmatch(address):
        raise SettingMissing(
            f"TONGBAN_CERTIFICATES is `plain`, which is for the loopback only, not for {address}."
        )
