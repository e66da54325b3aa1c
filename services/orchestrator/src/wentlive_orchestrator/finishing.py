"""Who is asked to finish by the answer to its next report: where a container cannot be told by a signal."""


class FinishRequests:
    """Names of recorders. Kept by this process only: whoever takes its reports next decides anew."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def ask(self, name: str) -> None:
        self._names.add(name)

    def forget(self, name: str) -> None:
        self._names.discard(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names
