"""The catalog as a process of its own, and its commands over its own store and storage."""

import sys

from wentlive_common.entrypoint import run_service

from wentlive_catalog.bootstrap import bootstrap
from wentlive_catalog.commands import run_command
from wentlive_catalog.settings import CatalogSettings


def main() -> None:
    if len(sys.argv) > 1:
        sys.exit(run_command(sys.argv[1:]))
    run_service("catalog", CatalogSettings, bootstrap)


if __name__ == "__main__":
    main()
