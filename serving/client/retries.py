"""Asking again, where that is safe: a question changes nothing, so only its answer decides."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import tenacity

if TYPE_CHECKING:
    from serving.client.connect import Patience

_FIRST_WAIT = 0.1  # seconds; doubled each time, and shortened by chance
_LONGEST_WAIT = 5.0

Reply = TypeVar("Reply")


class BusyError(Exception):
    """The server is away or has too much to do: it may answer a little later."""


def patiently(attempt: Callable[[], Reply], patience: "Patience") -> Reply:
    """What `attempt` returns, made again whenever it raises BusyError, until patience ends.

    Raises:
      BusyError: of the last attempt.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(BusyError),
        stop=tenacity.stop_after_attempt(patience.attempts),
        wait=tenacity.wait_random_exponential(_FIRST_WAIT, _LONGEST_WAIT),
        reraise=True,
    )(attempt)
