"""The orchestrator as a process of its own."""

from wentlive_common.entrypoint import run_service

from wentlive_orchestrator.bootstrap import bootstrap
from wentlive_orchestrator.settings import OrchestratorSettings


def main() -> None:
    run_service("orchestrator", OrchestratorSettings, bootstrap)


if __name__ == "__main__":
    main()
