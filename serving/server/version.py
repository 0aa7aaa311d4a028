"""One version through its life, from its folder to its end."""

import asyncio
import ctypes
import gc
from contextlib import suppress
from dataclasses import dataclass, field

from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from serving.server.errors import ServingError
from serving.server.model import Model


@dataclass(eq=False)
class Version:
    """What is known of a version; it can be asked while it has a model."""

    number: int
    state: int = ModelVersionStatus.START
    error: ServingError | None = None
    model: Model | None = None
    requests: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    content: tuple[int, int] = (0, 0)  # of saved_model.pb, as it was when it did not load
    tried: int = 0
    tried_at: float = 0.0


def status_of(one: Version) -> ModelVersionStatus:
    """As TF Serving tells of it."""
    status = ModelVersionStatus(version=one.number, state=one.state)
    status.status.SetInParent()  # TF Serving tells of no error too
    if one.error:
        status.status.error_code = one.error.code.value[0]
        status.status.error_message = one.error.message
    return status


def return_memory() -> None:
    """Gives back what a closed version held: its graph, which is in cycles, and glibc's heap."""
    gc.collect()
    with suppress(AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)
