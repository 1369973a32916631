"""The shape of the code: small start-up files, modules of a readable length, the same files everywhere."""

from __future__ import annotations

import pytest

from tests.rules import tree

LONGEST = 250
# Longer on purpose; nothing may be added without a reason that would convince a reviewer.
LONG: dict[str, str] = {}
NEEDED = ("__main__.py", "commands.py", "repository.py", "registry.py", "rpc.py", "rights.py", "events.py")


@pytest.mark.parametrize(
    "path", [module.path for module in tree.modules() if module.path.name == "__main__.py"], ids=tree.short
)
def test_a_start_up_file_is_short(path):
    if tree.below(tree.short(path).replace("/", "."), "deploy"):
        pytest.skip("a command line program, not a composition root")
    assert tree.length(path) < 40


def test_modules_are_of_a_length_that_can_be_read():
    lengths = {tree.short(module.path): tree.length(module.path) for module in tree.modules()}
    too_long = {path: length for path, length in lengths.items() if length > LONGEST and path not in LONG}
    assert not too_long
    settled = {path for path in LONG if lengths.get(path, 0) <= LONGEST - 20}
    assert not settled, "short again, or gone: take it out of the list"


@pytest.mark.parametrize("service", tree.services())
def test_every_service_has_the_same_files(service):
    folder = tree.ROOT / "services" / service
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    assert not missing
    assert (folder / "model.py").is_file() != (folder / "model").is_dir(), (
        "model.py, or a folder model once it outgrew that"
    )
    assert (folder / "pages" / "__init__.py").is_file()
    assert list((folder / "pages" / "templates").glob("*.html"))
    assert list((folder / "tests").rglob("test_*.py"))
    # A service may have further files of its own, but not the same thing by another name.
    others = {
        "app.py",
        "main.py",
        "models.py",
        "views.py",
        "handlers.py",
        "server.py",
        "service.py",
        "utils.py",
        "helpers.py",
        "db.py",
    }
    assert not {path.name for path in folder.glob("*.py")} & (others - {"views.py"})


def test_every_module_says_what_it_is_for():
    silent = []
    for module in tree.modules():
        text = module.path.read_text().lstrip()
        if text and not text.startswith(('"""', "# ", "#!")):
            silent.append(tree.short(module.path))
    assert not silent


def test_nobody_prints_in_a_service():
    """Logs are structured, one line per event; a command of the command line may talk."""
    talking = {
        "chassis.process",
        "services.knowledge.importing",
        "chassis.putback",
        "chassis.search.bench",
        "chassis.web.gallery",
    }
    wrong = [
        module.name
        for module in tree.modules()
        if not tree.below(module.name, "deploy")
        and module.name not in talking
        and any(line.lstrip().startswith("print(") for line in module.path.read_text().splitlines())
    ]
    assert not wrong
