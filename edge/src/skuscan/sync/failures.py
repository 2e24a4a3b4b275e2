"""What goes wrong in an exchange with a server, and whether another attempt may go better."""

import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from skuscan.errors import NetworkError

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses after which another attempt may go well


class PassingError(NetworkError):
    """A failure after which another attempt may go well.

    Attributes:
        retry_after: Seconds that the server asks to wait; 0: it does not say.
    """

    def __init__(self, rule: str, received: str, advice: str = "", *, retry_after: float = 0.0) -> None:
        super().__init__(rule, received, advice)
        self.retry_after = retry_after


class StatusError(NetworkError):
    """The server answered with an error that another attempt will not change.

    Attributes:
        status: The HTTP status.
        body: The beginning of the answer.
    """

    def __init__(self, url: str, status: int, body: bytes) -> None:
        super().__init__("the server answers with what was asked for", f"HTTP {status} for {url}")
        self.status = status
        self.body = body


class MissingFileError(StatusError):
    """A place without a server, such as a USB stick, has no such file: what a server says with a 404."""

    def __init__(self, name: str, place: str) -> None:
        NetworkError.__init__(
            self,
            "a bundle holds every file of its generation",
            f"no {name} in {place}",
            "export it again, for this device's assortment",
        )
        self.status = HTTPStatus.NOT_FOUND
        self.body = b""


def pause_of(text: str) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3); 0: none that can be read."""
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def plain(error: BaseException) -> str:
    """What went wrong underneath, without the library's wrapping."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
