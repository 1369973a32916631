"""Stamps, secrets, certificates: what is made once and found again."""

import ssl
import stat
import subprocess

import pytest

from chassis.durable import ensure_secret
from deploy.local import command, secretfiles, steps, tls
from deploy.local.cache import Tools, complete, filling
from deploy.local.say import Refusal


def test_a_folder_counts_as_installed_only_when_its_filling_ended(tmp_path):
    folder = tmp_path / "tool" / "1.0"

    def half():
        with filling(folder):
            (folder / "half").touch()
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        half()
    assert not complete(folder)
    with filling(folder):
        assert not (folder / "half").exists()
    assert complete(folder)


def test_another_lock_file_is_another_environment(tmp_path):
    (tmp_path / "uv.lock").write_text("one")
    before = Tools(tmp_path, tmp_path).environment
    (tmp_path / "uv.lock").write_text("two")
    assert Tools(tmp_path, tmp_path).environment != before


def test_an_installed_step_runs_no_program(tmp_path, monkeypatch):
    where = Tools(tmp_path)
    for folder in (where.environment, where.nats, where.keycloak, where.mongo, where.fonts, where.vendor):
        with filling(folder):
            pass
    monkeypatch.setattr(command, "run", lambda *_, **__: pytest.fail("a program was run"))
    for step in (
        steps.python_environment,
        steps.nats,
        steps.keycloak,
        steps.mongo,
        steps.fonts,
        steps.vendor,
    ):
        assert step(where) is False


def test_a_missing_tool_is_one_sentence_that_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match=r"^go is needed to build nats-server .* install golang-go .*\.$"):
        steps.nats(Tools(tmp_path))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("curl: Could not resolve host: example.org", "registry was not reached; check the network"),
        ("write error: No space left on device", "disk is full"),
        ("broken", r"\(broken\); all it said is in"),
    ],
)
def test_a_failing_tool_is_one_sentence(tmp_path, said, sentence):
    with pytest.raises(Refusal, match=f"^Installing it failed.*{sentence}.*"):
        command.run("it", "sh", "-c", f"echo '{said}'; exit 3", log=tmp_path / "log")


def test_a_secret_is_made_once_and_only_the_owner_reads_it(tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    secretfiles.private(folder)
    first = ensure_secret(folder, "key")
    assert len(first) == 43
    assert ensure_secret(folder, "key") == first
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_demo_key_goes_when_the_demonstration_goes(tmp_path):
    secretfiles.demo_key(tmp_path, wanted=True)
    assert (tmp_path / "demo-key").exists()
    secretfiles.demo_key(tmp_path, wanted=False)
    assert not (tmp_path / "demo-key").exists()


def test_the_certificate_is_good_for_every_name_and_kept(tmp_path):
    authority = tls.ensure(tmp_path)
    made = (tmp_path / "server.crt").read_bytes()
    assert stat.S_IMODE((tmp_path / "server.key").stat().st_mode) == 0o600
    for name in ("localhost", "apps.localhost", "oldsite.apps.localhost"):
        verify = [
            "openssl",
            "verify",
            "-CAfile",
            authority,
            "-verify_hostname",
            name,
            tmp_path / "server.crt",
        ]
        assert subprocess.run(verify, capture_output=True, check=False).returncode == 0, name
    ssl.create_default_context(cafile=str(authority))
    tls.ensure(tmp_path)
    assert (tmp_path / "server.crt").read_bytes() == made


def test_a_certificate_near_its_end_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(tls, "_SERVER_DAYS", 10)
    tls.ensure(tmp_path)
    old = (tmp_path / "server.crt").read_bytes()
    monkeypatch.setattr(tls, "_SERVER_DAYS", 397)
    tls.ensure(tmp_path)
    assert (tmp_path / "server.crt").read_bytes() != old
