"""Writes down which image each name means today, so that what was tested is what runs.

    python3 deploy/images/pin.py >> .env

A tag moves, a digest does not. Asks the registries through `docker buildx imagetools`; needs Docker and Python 3.11.
Images of several platforms are pinned by their index, so the same line serves amd64 and arm64.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"\$\{(WENTLIVE_[A-Z]+_IMAGE):-([^}@]+)\}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SECONDS = 60


def images(compose: str) -> dict[str, str]:
    """The images that docker-compose.yml lets be set, by the variable that sets each."""
    return dict(VARIABLE.findall(compose))


def digest_of(image: str) -> str:
    """Raises CalledProcessError where the registry does not know the image."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS).stdout.strip()
    if not DIGEST.fullmatch(answer):
        raise ValueError(f"{image}: docker answered {answer!r} instead of a digest; is it a recent Docker with buildx?")
    return answer


def main() -> int:
    for variable, image in images((ROOT / "docker-compose.yml").read_text(encoding="utf-8")).items():
        try:
            sys.stdout.write(f"{variable}={image}@{digest_of(image)}\n")
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{image}: {error.stderr.strip()}\n")
            return 1
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
