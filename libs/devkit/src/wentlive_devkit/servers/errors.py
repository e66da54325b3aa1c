"""What can go wrong with a local server, in words that a newcomer can act on."""

from wentlive_common.errors import Permanent, Transient


class ServerUnavailable(Permanent):
    """A server's program is not on this machine."""

    def __init__(self, server: str, install: str) -> None:
        super().__init__(f"{server} is not installed: {install}")
        self.server = server


class ServerFailed(Transient):
    """A server did not come up, or ended on its own."""
