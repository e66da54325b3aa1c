"""The catalog as a process of its own."""

from wentlive_common.entrypoint import run_service

from wentlive_catalog.bootstrap import bootstrap
from wentlive_catalog.settings import CatalogSettings


def main() -> None:
    run_service("catalog", CatalogSettings, bootstrap)


if __name__ == "__main__":
    main()
