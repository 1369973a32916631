"""The installation steps: each brings one tool into the cache, or finds it there and does nothing.

A step is a function of the tools' places. It returns False when nothing was to be done, so that a second
installation runs no outside program at all.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.local import accounts, command, versions
from deploy.local.cache import Tools, complete, filling
from deploy.local.say import Refusal

_FONT_FOLDER = "usr/share/texlive/texmf-dist/fonts/opentype/public/fandol"


def _log(tools: Tools, name: str) -> Path:
    return tools.base / "logs" / f"{name}.log"


def uv(tools: Tools) -> bool:
    """uv, in a virtual environment of its own, so that the system's Python stays as it is."""
    if complete(tools.uv):
        return False
    with filling(tools.uv) as folder:
        command.run("uv", sys.executable, "-m", "venv", folder, log=_log(tools, "venv"))
        pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", f"uv=={versions.UV}")
        command.run("uv", *pip, log=_log(tools, "uv"))
    return True


def python_environment(tools: Tools) -> bool:
    """The Python packages of uv.lock. The folder is keyed by the lock, so it is right or absent."""
    if complete(tools.environment):
        return False
    uv(tools)
    with filling(tools.environment) as folder:
        env = {
            "UV_PROJECT_ENVIRONMENT": str(folder),
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
        }
        sync = (tools.uv / "bin" / "uv", "sync", "--frozen", "--compile-bytecode")
        command.run("the Python packages", *sync, log=_log(tools, "python"), cwd=tools.root, env=env)
    return True


def nats(tools: Tools) -> bool:
    """nats-server, compiled by Go."""
    return _compiled_by_go(
        tools, tools.nats, "nats-server", f"github.com/nats-io/nats-server/v2@v{versions.NATS}"
    )


def toxiproxy(tools: Tools) -> bool:
    """Toxiproxy's server, compiled by Go."""
    module = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{versions.TOXIPROXY}"
    return _compiled_by_go(tools, tools.toxiproxy, "toxiproxy", module)


def _compiled_by_go(tools: Tools, place: Path, name: str, module: str) -> bool:
    if complete(place):
        return False
    command.require("go", f"to build {name}")
    with filling(place) as folder:
        command.run(name, "go", "install", module, log=_log(tools, name), env={"GOBIN": str(folder)})
    return True


def _copy_from_maven(tools: Tools, name: str, *arguments: str | Path) -> None:
    goal, *options = arguments
    plugin = f"org.apache.maven.plugins:maven-dependency-plugin:{versions.MAVEN_DEPENDENCY_PLUGIN}:{goal}"
    command.run(name, "mvn", "-q", "-B", *options, plugin, log=_log(tools, f"maven-{goal}"))


def keycloak(tools: Tools) -> bool:
    """Keycloak's distribution from Maven, unpacked and built once with our build options."""
    if complete(tools.keycloak):
        return False
    command.require("mvn", "to fetch Keycloak")
    command.require("java", "to run Keycloak")
    artifact = f"org.keycloak:keycloak-quarkus-dist:{versions.KEYCLOAK}:zip"
    with filling(tools.keycloak) as folder, tempfile.TemporaryDirectory(dir=tools.base) as scratch:
        _copy_from_maven(tools, "Keycloak", "copy", f"-Dartifact={artifact}", f"-DoutputDirectory={scratch}")
        shutil.unpack_archive(next(Path(scratch).glob("*.zip")), scratch)
        for entry in (Path(scratch) / f"keycloak-{versions.KEYCLOAK}").iterdir():
            shutil.move(entry, folder / entry.name)
        # Zip archives carry no permissions that Python would restore.
        for script in (folder / "bin").glob("*.sh"):
            script.chmod(0o755)
        build = (folder / "bin" / "kc.sh", "build", *versions.KEYCLOAK_BUILD)
        command.run("Keycloak", *build, log=_log(tools, "keycloak-build"))
    return True


def mongo(tools: Tools) -> bool:
    """The embedded database: the library's jars, and our launcher compiled against them."""
    if complete(tools.mongo):
        return False
    command.require("mvn", "to fetch the embedded database")
    command.require("javac", "to compile the embedded database's launcher")
    with filling(tools.mongo) as folder:
        pom = folder / "pom.xml"
        pom.write_text(
            "<project><modelVersion>4.0.0</modelVersion>"
            "<groupId>tongban</groupId><artifactId>mongo</artifactId><version>1</version><dependencies>"
            "<dependency><groupId>de.bwaldvogel</groupId><artifactId>mongo-java-server-h2-backend</artifactId>"
            f"<version>{versions.MONGO}</version></dependency></dependencies></project>\n"
        )
        options = ("-f", pom, f"-DoutputDirectory={folder / 'lib'}")
        _copy_from_maven(tools, "the embedded database", "copy-dependencies", *options)
        javac = ("javac", "-cp", f"{folder}/lib/*", "-d", folder / "classes", tools.mongo_source)
        command.run("the embedded database", *javac, log=_log(tools, "mongo-javac"))
    return True


def fonts(tools: Tools) -> bool:
    """The free fonts of the printed page, out of Debian's package, which itself is not installed."""
    if complete(tools.fonts):
        return False
    command.require("apt-get", "to fetch the Chinese fonts")
    with filling(tools.fonts) as folder, tempfile.TemporaryDirectory(dir=tools.base) as scratch:
        log = _log(tools, "fonts")
        command.run("the fonts", "apt-get", "download", "texlive-lang-chinese", log=log, cwd=Path(scratch))
        package = next(Path(scratch).glob("*.deb"))
        command.run("the fonts", "dpkg", "-x", package, scratch, log=log)
        found = [*(Path(scratch) / _FONT_FOLDER).glob("Fandol[FHKS]*.otf")]
        if not found:
            raise Refusal(
                "Debian's texlive-lang-chinese no longer holds the Fandol fonts; report this, please."
            )
        for font in found:
            shutil.copy(font, folder)
    return True


def vendor(tools: Tools) -> bool:
    """Browser assets from npm. `npm pack` only fetches: no script of a package is run."""
    if complete(tools.vendor):
        return False
    command.require("npm", "to fetch the browser assets")
    with filling(tools.vendor) as folder, tempfile.TemporaryDirectory(dir=tools.base) as scratch:
        pack = ("npm", "pack", "--silent", "--pack-destination", scratch, *versions.NPM)
        command.run("the browser assets", *pack, log=_log(tools, "npm"), cwd=Path(scratch))
        for wanted in versions.NPM:
            name, version = wanted.rsplit("@", 1)
            archive = Path(scratch) / f"{name.lstrip('@').replace('/', '-')}-{version}.tgz"
            shutil.unpack_archive(archive, Path(scratch) / name, filter="data")
            shutil.move(Path(scratch) / name / "package", folder / name)
    return True


def missing(programs: Mapping[str, str]) -> list[str]:
    """The packages of those `programs` which are not on PATH."""
    # Debian keeps nginx in /usr/sbin, which is not on the PATH of an ordinary user.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [package for wanted, package in programs.items() if shutil.which(wanted, os.F_OK, path) is None]


def debian_lists(tools: Tools) -> None:
    """Refresh the list of packages: a bare machine has none, or one too old to download from."""
    if os.geteuid() == 0:
        command.run("Debian packages", "apt-get", "update", log=_log(tools, "apt-update"))


def debian(tools: Tools, programs: Mapping[str, str]) -> bool:
    """The Debian packages that bring `programs`, when some are not there."""
    lacking = missing(programs)
    if not lacking:
        return False
    if os.geteuid() != 0:
        raise Refusal(f"Debian packages are missing; run: sudo apt-get install {' '.join(lacking)}")
    install = ("apt-get", "install", "--yes", "--no-install-recommends", *lacking)
    with _no_services():
        command.run(
            "Debian packages", *install, log=_log(tools, "apt"), env={"DEBIAN_FRONTEND": "noninteractive"}
        )
    return True


def system_accounts(tools: Tools, names: Iterable[str]) -> bool:
    """The accounts under which processes run that root starts; nothing for anybody else, who could not use them."""
    lacking = accounts.missing(names) if os.geteuid() == 0 else []
    for name in lacking:
        add = ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
        command.run(f"the account {name}", *add, name, log=_log(tools, "accounts"))
    return bool(lacking)


class _no_services:  # noqa: N801 - reads as a word in its `with`.
    """While this lasts, Debian starts no service by itself: our nginx is ours to start, on our port."""

    policy = Path("/usr/sbin/policy-rc.d")

    def __enter__(self) -> None:
        self._ours = not self.policy.exists()
        if self._ours:
            self.policy.write_text("#!/bin/sh\nexit 101\n")
            self.policy.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self.policy.unlink(missing_ok=True)


def java_is_new_enough() -> None:
    """Refuse a Java older than Keycloak takes."""
    command.require("java", "to run Keycloak and the embedded database")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    number = said.partition('"')[2].partition('"')[0].partition(".")[0]
    if not number.isdigit() or int(number) < 17:
        raise Refusal(
            f"Java 17 or newer is needed and this one is {number or 'unknown'}; install "
            "openjdk-17-jdk-headless."
        )
