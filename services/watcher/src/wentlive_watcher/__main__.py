"""The watcher as a process of its own."""

from wentlive_common.entrypoint import run_service

from wentlive_watcher.bootstrap import bootstrap
from wentlive_watcher.settings import WatcherSettings


def main() -> None:
    run_service("watcher", WatcherSettings, bootstrap)


if __name__ == "__main__":
    main()
