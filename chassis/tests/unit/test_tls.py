"""The door between processes: who comes without the right certificate does not get in, whatever token they hold."""

from __future__ import annotations

import contextlib
import shutil
import stat
import subprocess

import grpc
import pytest

from chassis import client, context, tls
from chassis.client import Client
from chassis.errors import TongbanError
from chassis.health import Health
from chassis.identity_types import Principal
from chassis.server import build
from chassis.settings import SettingMissing
from chassis.tests.helpers import CLERK, TOKEN, Answer, OneToken, Request, Stub, settings
from chassis.tests.helpers import serving as serving_in_clear
from deploy.local.tls import ensure_units

GOOD = ("authorization", f"Bearer {TOKEN}")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The deployment's certificates: `other` is the service, `caller` may call it, `stranger` may not."""
    folder = tmp_path_factory.mktemp("units")
    ensure_units(folder, ("other", "caller", "stranger"), anew=True)
    return folder


@contextlib.contextmanager
def serving(folder, monkeypatch, seen, principal=CLERK, peers="caller other"):
    """The service `other` with its certificate; notes the calls that reach it. Yields its address."""
    with monkeypatch.context() as patch:
        patch.setenv("TONGBAN_CERTIFICATES", str(folder))
        patch.setenv("TONGBAN_PEERS_OTHER", peers)
        given = settings(folder, service="other")
        server = build(
            given, OneToken(principal), {"One": frozenset({"person", "service:caller"})}, Health({}, {})
        )

    def one(_request, _rpc):
        seen.append(context.current())
        return Answer(document="reached")

    handler = grpc.unary_unary_rpc_method_handler(one, Request.FromString, Answer.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.v1.Test", {"One": handler}),))
    port = tls.listen(server, "127.0.0.1:0", tls.Identity(folder, "other"))
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def code(channel):
    """How a call with a good token ends on this channel."""
    with channel:
        try:
            Stub(channel).One(Request(), timeout=5, metadata=[GOOD])
        except grpc.RpcError as problem:
            return problem.code().name
    return "OK"


def channel_of(address, folder, unit, expected="other"):
    return tls.open_channel(address, expected, [], tls.Identity(folder, unit))


def expired(folder):
    """The same authority's certificate for `caller`, whose time was over yesterday."""
    old = folder / "caller-of-yesterday.pem"
    if not old.exists():
        key, request = folder / "old.key", folder / "old.csr"
        fresh = ("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
        openssl(*fresh, "-subj", "/CN=caller", "-keyout", key, "-out", request)
        (folder / "old.ext").write_text("subjectAltName=DNS:caller\nextendedKeyUsage=clientAuth\n")
        openssl("x509", "-req", "-in", request, "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-days", "-1",
                "-extfile", folder / "old.ext", "-out", folder / "old.crt")  # fmt: skip
        old.write_text(key.read_text() + (folder / "old.crt").read_text())
    return old.stem


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def test_only_an_admitted_units_certificate_opens_the_door(authority, tmp_path, monkeypatch):
    """# check 18: with a valid token of a person in every one of these calls."""
    ensure_units(tmp_path, ("caller",), anew=True)  # another deployment's authority
    browsers = tmp_path / "only-ca"
    browsers.mkdir()
    shutil.copy(authority / "ca.crt", browsers / "ca.crt")
    seen = []
    with serving(authority, monkeypatch, seen) as address:
        trusted = grpc.ssl_channel_credentials((authority / "ca.crt").read_bytes())
        named = [("grpc.ssl_target_name_override", "other")]
        _, key, certificate = tls.Identity(tmp_path, "caller").pieces()
        foreign = grpc.ssl_channel_credentials((authority / "ca.crt").read_bytes(), key, certificate)
        refused = {
            "in clear": code(grpc.insecure_channel(address)),
            "no certificate": code(grpc.secure_channel(address, trusted, named)),
            "foreign authority": code(grpc.secure_channel(address, foreign, named)),
            "expired": code(channel_of(address, authority, expired(authority))),
            "another service's": code(channel_of(address, authority, "stranger")),
        }
        assert not seen
        assert refused.pop("another service's") == "PERMISSION_DENIED"
        assert set(refused.values()) == {"UNAVAILABLE"}
        assert code(channel_of(address, authority, "caller")) == "OK"
    assert [call.peer for call in seen] == ["caller"]
    print(
        "check 18: in clear, no, foreign, expired and another service's certificate: 5 of 5 refused, 0 reached the service"
    )


def test_a_caller_insists_on_the_unit_it_means(authority, monkeypatch):
    """# check 18: who takes another's port gets no token."""
    with serving(authority, monkeypatch, []) as address:
        assert code(channel_of(address, authority, "caller", expected="documents")) == "UNAVAILABLE"


def test_a_services_token_needs_that_services_certificate(authority, monkeypatch):
    """# check 18"""
    seen, account = [], Principal("a", service="caller")
    with serving(authority, monkeypatch, seen, principal=account) as address:
        assert code(channel_of(address, authority, "other")) == "PERMISSION_DENIED"
        assert code(channel_of(address, authority, "caller")) == "OK"
    assert len(seen) == 1


def test_a_renewed_certificate_is_taken_up_without_a_restart(authority, tmp_path, monkeypatch):
    folder = tmp_path / "units"
    shutil.copytree(authority, folder)
    seen = []
    monkeypatch.setattr(client, "_channels", {})
    with serving(folder, monkeypatch, seen) as address:
        monkeypatch.setenv("TONGBAN_CERTIFICATES", str(folder))
        monkeypatch.setenv("TONGBAN_SERVICE", "caller")
        monkeypatch.setenv("TONGBAN_GRPC_OTHER", address)
        other, before = Client("other", Stub, token=lambda: TOKEN), client.channel("other")
        other.One(Request())
        # Both sides get certificates of a new authority; a process that kept the old one would be refused.
        for path in folder.iterdir():
            path.unlink()
        ensure_units(folder, ("other", "caller"), anew=True)
        other.One(Request())
        assert client.channel("other") is not before
    assert len(seen) == 2


def test_keys_are_the_owners_alone_and_nobody_keeps_one_who_left(tmp_path):
    ensure_units(tmp_path / "units", ("a", "b"), anew=True)
    ensure_units(tmp_path / "units", ("a",), anew=False)
    left = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "units").iterdir()}
    assert left.pop("ca.crt") & 0o022 == 0
    assert left == {"a.pem": 0o600, "ca.key": 0o600}
    assert stat.S_IMODE((tmp_path / "units").stat().st_mode) == 0o700


def test_clear_speech_must_be_said_and_stays_on_the_loopback(monkeypatch):
    monkeypatch.delenv("TONGBAN_CERTIFICATES")
    with pytest.raises(SettingMissing, match="TONGBAN_CERTIFICATES"):
        tls.identity()
    for address in ("0.0.0.0:1", "[::]:1", "10.0.0.1:1", "unix:/tmp/x", "127.0.0.1.evil.example:1"):
        with pytest.raises(SettingMissing, match="loopback"):
            tls.open_channel(address, "other", [], None)
        with pytest.raises(SettingMissing, match="loopback"):
            tls.listen(grpc.server(None), address, None)


def test_a_missing_certificate_is_named(tmp_path):
    with pytest.raises(SettingMissing, match="The unit other has no certificate"):
        tls.open_channel("127.0.0.1:1", "other", [], tls.Identity(tmp_path, "other"))


def test_in_clear_nobody_is_a_peer(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "_channels", {})
    peers = []

    def one(_request, _rpc):
        peers.append(context.current().peer)
        return Answer()

    with serving_in_clear(settings(tmp_path), One=one) as port:
        monkeypatch.setenv("TONGBAN_GRPC_OTHER", f"127.0.0.1:{port}")
        try:
            Client("other", Stub, token=lambda: TOKEN).One(Request())
        except TongbanError as problem:
            pytest.fail(str(problem))
    assert peers == [""]
