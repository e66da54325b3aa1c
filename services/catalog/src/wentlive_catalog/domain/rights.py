"""Who may do what: one line for each operation, for the API and for the forms on pages alike.

An operation that is not here is refused to everybody. What concerns single things besides (a link is its maker's, a
recording that others follow stays) is decided where the thing is at hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wentlive_common.errors import Forbidden

from wentlive_catalog.domain.tokens import Scope
from wentlive_catalog.domain.users import ROLES, Role


class RoleTooLow(Forbidden):
    """Your role does not allow this."""


class ScopeMissing(Forbidden):
    """This API token was not made for this."""


class SessionNeeded(Forbidden):
    """This cannot be done with an API token: sign in."""


@dataclass(frozen=True, slots=True)
class Right:
    """The lowest role that may, and the scope that a token needs for it."""

    role: Role | None
    """None: anybody, without signing in."""
    scope: Scope | None = None
    """None: no token will do."""


OPEN = Right(None)
OWN = Right("viewer")
"""What concerns nobody but the asker, and would let a stolen token grow."""
SEE = Right("viewer", "read")
FOLLOW = Right("member", "follow")
RECORD = Right("member", "record")
SHARE = Right("member", "share")
RUN = Right("admin", "admin")
RUN_IN_PERSON = Right("admin")

RIGHTS: Mapping[str, Right] = {
    # Signing in
    "getSetup": OPEN, "setUp": OPEN, "signIn": OPEN,
    "getSession": SEE, "signOut": OWN, "listSessions": OWN, "closeSession": OWN, "changePassword": OWN,
    "listTokens": OWN, "createToken": OWN, "revokeToken": OWN,
    # Running it
    "listUsers": RUN, "getUser": RUN, "createUser": RUN_IN_PERSON, "updateUser": RUN_IN_PERSON,
    "deleteUser": RUN_IN_PERSON, "listAudit": RUN,
    # Creators
    "listCreators": SEE, "getCreator": SEE,
    "followCreator": FOLLOW, "importCreators": FOLLOW, "unfollowCreator": FOLLOW, "checkCreator": FOLLOW,
    "getCreatorSettings": SEE, "updateCreatorSettings": FOLLOW, "updateFollow": FOLLOW,
    # Recordings
    "listRecordings": SEE, "getRecording": SEE, "getTimeline": SEE, "listParts": SEE, "getPart": SEE,
    "getPlaylist": SEE, "getInitSegment": SEE, "getPoster": SEE, "getPreview": SEE, "getStoryboard": SEE,
    "getStoryboardTrack": SEE, "downloadPart": SEE, "playPart": SEE, "getClip": SEE, "signPart": SEE,
    "updateRecording": RECORD, "stopRecording": RECORD, "retryRecording": RECORD, "deleteRecording": RECORD,
    "restoreRecording": RECORD, "changeRecordings": RECORD,
    # Being told
    "listTargets": FOLLOW, "createTarget": FOLLOW, "updateTarget": FOLLOW, "deleteTarget": FOLLOW, "tryTarget": FOLLOW,
    "listDeliveries": FOLLOW,
    # How long they are kept
    "getRetention": SEE, "setRetention": RUN, "listDue": RUN, "runRetention": RUN, "getLifecyclePolicy": RUN,
    # Numbers and exports
    "getTotals": SEE, "listDayTotals": SEE, "listCreatorTotals": SEE, "getLiveHours": SEE, "exportRecordings": SEE,
    "getFeed": Right("viewer", "feed"),
    # Links
    "createLink": SHARE, "listLinks": SHARE, "revokeLink": SHARE,
    "openLink": OPEN, "getLinkPlaylist": OPEN, "getLinkInitSegment": OPEN, "downloadByLink": OPEN,
    "playByLink": OPEN, "getLinkPoster": OPEN,
    # Pages
    "showHome": SEE, "showRecording": SEE, "streamHome": SEE, "streamRecording": SEE, "showLogin": OPEN,
    "showSetup": OPEN,
    "showLibrary": SEE, "showCreators": SEE, "showCreator": SEE, "showActivity": SEE, "showSystem": SEE,
    "showSettings": OWN, "streamPage": SEE,
}  # fmt: skip


def check(operation: str | None, role: Role | None, scopes: tuple[Scope, ...] | None) -> None:
    """Raises Forbidden; `scopes` is None for somebody who signed in."""
    right = RIGHTS.get(operation or "")
    if right is None or role is None:
        raise RoleTooLow
    if right.role is not None and ROLES.index(role) < ROLES.index(right.role):
        raise RoleTooLow
    if scopes is not None and right.role is not None:
        if right.scope is None:
            raise SessionNeeded
        if right.scope not in scopes:
            raise ScopeMissing(f"This API token was not made for this; it takes the scope {right.scope!r}.")


def is_open(operation: str | None) -> bool:
    right = RIGHTS.get(operation or "")
    return right is not None and right.role is None
