"""What a script can tell from the exit status."""

from __future__ import annotations

from arkroute.errors import (
    APIConnectionError,
    APIStatusError,
    ArkRouteError,
    AuthenticationError,
    ConfigurationError,
    InsufficientCreditsError,
    InternalServerError,
    PermissionDeniedError,
    RateLimitError,
    StreamError,
    UnreadableAnswerError,
    VideoFailedError,
    VideoTimeoutError,
)

OK = 0
LOCAL = 1
USAGE = 2
REFUSED = 3
KEY = 4
CREDITS = 5
LIMIT = 6
SERVICE = 7
CONNECTION = 8
INTERRUPTED = 130

TABLE = """\
exit status:
  0    done
  1    a file cannot be read or written
  2    the command line is wrong
  3    the request is refused (400, 404, 409, 422 and the like): change it
  4    no key, or one that is not good for this (401, 403)
  5    not enough credits (402)
  6    rate limited (429): try later
  7    the provider or the gateway failed (5xx), or the video did
  8    no connection, or no answer in time
  130  interrupted
"""


class UsageError(ArkRouteError):
    """The command line lacks something that argparse does not know of."""


# The first that fits.
_STATUSES: tuple[tuple[type[ArkRouteError], int], ...] = (
    (UsageError, USAGE),
    (ConfigurationError, KEY),
    (AuthenticationError, KEY),
    (PermissionDeniedError, KEY),
    (InsufficientCreditsError, CREDITS),
    (RateLimitError, LIMIT),
    (InternalServerError, SERVICE),
    (StreamError, SERVICE),
    (UnreadableAnswerError, SERVICE),
    (VideoFailedError, SERVICE),
    (VideoTimeoutError, CONNECTION),
    (APIConnectionError, CONNECTION),
    (APIStatusError, REFUSED),
)


def exit_status(error: ArkRouteError) -> int:
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), LOCAL)
