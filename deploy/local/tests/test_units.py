import json

import pytest

from deploy.local import units
from deploy.local.cache import ROOT
from deploy.local.say import Refusal


def _load(tmp_path, text):
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "units.toml").write_text(text)
    return units.load(tmp_path)


def test_the_list_of_this_clone_is_valid_and_has_the_four_services():
    names = {unit.name for unit in units.load(ROOT)}
    assert names >= {"gateway", "portal", "documents", "meetings", "tasks", "knowledge"}


def test_a_service_lives_in_services_unless_said_otherwise(tmp_path):
    (unit,) = _load(
        tmp_path, '[archive]\ngrpc = 1\npages = true\npath = "/archive/"\ntitle = "档案"\nicon = "folder"\n'
    )
    assert unit.module == "services.archive"
    assert unit.http
    assert not unit.exists(tmp_path)
    (tmp_path / "services" / "archive").mkdir(parents=True)
    assert unit.exists(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a]\ngrcp = 1\n", "unknown key 'grcp'"),
        ("[a-b]\ngrpc = 1\n", "'a-b'"),
        ("a = 1\n", "a stands outside"),
        ("[a]\npages = true\n", "both pages and path"),
        ('[a]\npages = true\npath = "/"\nweb = true\n', "only one of"),
        ('[a]\npages = true\npath = "/a/"\n', "needs a title"),
        ('[a]\ngrpc = 1\nroles = ["king"]\n', "nobody can hold"),
        ("[a]\ncalls = ['b']\n[b]\nwork = true\n", "[a] calls 'b', which has no gRPC server"),
        ("[a]\ngrpc = 1\naccount = 'a b'\n", "'a b' for an account"),
        ("[a\n", "cannot be read"),
    ],
)
def test_a_mistake_in_the_list_is_refused_with_its_place(tmp_path, text, said):
    with pytest.raises(Refusal, match=said.replace("[", r"\[")):
        _load(tmp_path, text)


def test_what_processes_are_told_is_what_stands_in_the_list(tmp_path):
    listed = _load(
        tmp_path,
        '[audit]\ngrpc = 1\npages = true\npath = "/audit/"\ntitle = "审计"\nicon = "eye"\nroles = ["auditor"]\n[site]\nsite = "s"\n',
    )
    audit, site = json.loads(units.described(listed))
    assert (audit["title"], audit["path"], audit["roles"], audit["grpc"]) == (
        "审计",
        "/audit/",
        ["auditor"],
        True,
    )
    assert (site["path"], site["grpc"]) == ("", False)


def test_a_server_admits_itself_and_its_callers(tmp_path):
    text = '[gateway]\nmodule = "gateway"\ncalls = ["*"]\n[a]\ngrpc = 1\ncalls = ["b"]\n[b]\ngrpc = 1\n'
    listed = _load(tmp_path, text)
    _, a, b = listed
    assert units.peers(a, listed, demo=False) == ["a", "gateway"]
    assert units.peers(b, listed, demo=False) == ["a", "b", "gateway"]
    assert units.peers(a, listed, demo=True) == ["a", "demo", "gateway"]
