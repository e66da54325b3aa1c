"""What can go wrong while recording, told apart by what to do next."""

from wentlive_common.errors import Conflict, Permanent, Transient


class NotFlv(Permanent):
    """What the stream's address gave is not an FLV stream."""


class CorruptFlv(Transient):
    """The FLV stream broke off or is damaged; what came before is kept."""


class NotHls(Permanent):
    """What the stream's address gave is no HLS playlist, or one that cannot be recorded."""


class CorruptHls(Transient):
    """The HLS stream is damaged or lags too far behind; what came before is kept."""


class UnsupportedCodec(Permanent):
    """The stream's codec cannot be recorded, or is not to be recorded."""


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


class PictureFailed(Transient):
    """A picture could not be made; the recording goes on without it."""


class NotRebuildable(Permanent):
    """The part cannot be made a standard MP4: it does not hold what a recorder writes. It is left as it is."""


class FinishedAlready(Permanent):
    """The part is a standard MP4 already."""


class NothingRecorded(Permanent):
    """The part holds no whole fragment."""


class BlobExists(Conflict):
    """Another run has created this blob already; it is left as it is."""


class Fenced(Conflict):
    """Somebody else wrote to this part's blob: another recorder has taken over."""


class StorageRefused(Permanent):
    """Storage refuses what the recorder writes."""


class BlobMissing(StorageRefused):
    """There is no such blob (any more)."""


class BlocksLost(Transient):
    """Storage does not hold blocks any more that were staged; they have to be sent again."""


class StorageBehind(Transient):
    """Storage takes the media more slowly than the stream brings it, and the buffer for it is full."""


class DiskFailed(Transient):
    """Media that waits on disk could not be read back."""


class StoppedShort(Transient):
    """The recorder had to leave before storage had taken everything."""


class StorageUnavailable(Transient):
    """Storage could not take the media for so long that the bounded buffer is full."""


class NoGrant(Transient):
    """The orchestrator has not granted the right to write the next part."""
