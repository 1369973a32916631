"""Sealing: bound to person and system, altered by nobody, readable by no other key."""

from __future__ import annotations

import pytest

from portal.vault import Secret, Unsealable, Vault

KEY = "k" * 43
VAULT = Vault(KEY)
SEALED = VAULT.seal_secret(Secret("wang", "secret-密"), "p1", "oa")


def test_opens_for_its_person_and_system():
    secret = VAULT.open_secret(SEALED, "p1", "oa")
    assert (secret.username, secret.password) == ("wang", "secret-密")


@pytest.mark.parametrize(("person", "app"), [("p2", "oa"), ("p1", "finance"), ("p1|oa", ""), ("", "p1|oa")])
def test_opens_for_nobody_else(person, app):
    with pytest.raises(Unsealable):
        VAULT.open_secret(SEALED, person, app)


def test_another_key_does_not_open():
    with pytest.raises(Unsealable):
        Vault("x" * 43).open_secret(SEALED, "p1", "oa")


def test_every_altered_or_missing_byte_is_noticed():
    for position in range(len(SEALED)):
        altered = bytearray(SEALED)
        altered[position] ^= 1
        with pytest.raises(Unsealable):
            VAULT.open_secret(bytes(altered), "p1", "oa")
        with pytest.raises(Unsealable):
            VAULT.open_secret(SEALED[:position], "p1", "oa")


def test_nothing_readable_and_nothing_repeated():
    assert b"wang" not in SEALED
    assert "密".encode() not in SEALED
    assert VAULT.seal(b"x", "a") != VAULT.seal(b"x", "a")


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="32"):
        Vault("short")
