"""What can go wrong while recording, told apart by what to do next."""

from wentlive_common.errors import Conflict, Permanent, Transient


class NotFlv(Permanent):
    """What the stream's address gave is not an FLV stream."""


class CorruptFlv(Transient):
    """The FLV stream broke off or is damaged; what came before is kept."""


class UnsupportedCodec(Permanent):
    """The stream's codec is not supported yet."""


class StreamGone(Transient):
    """The stream's address answers that there is no such stream (any more)."""


class StreamUnreachable(Transient):
    """The stream's address could not be reached."""


class StreamStalled(Transient):
    """The stream stays open but brings nothing to record."""


class StreamDropped(Transient):
    """The connection to the stream was lost in the middle."""


class MuxFailed(Transient):
    """The media could not be written as MP4; what came before is kept."""


class BlobExists(Conflict):
    """Another run has created this blob already; it is left as it is."""


class Fenced(Conflict):
    """Somebody else wrote to this part's blob: another recorder has taken over."""


class StorageRefused(Permanent):
    """Storage refuses what the recorder writes."""


class StorageUnavailable(Transient):
    """Storage could not take the media for so long that the bounded buffer is full."""


class NoGrant(Transient):
    """The orchestrator has not granted the right to write the next part."""
