"""What both protocols do with a request, however it came in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import grpc

from serving.server import pictures
from serving.server.batching import Batcher
from serving.server.catalog import Catalog
from serving.server.errors import ServingError, invalid
from serving.server.metrics import Metrics
from serving.server.model import DEFAULT_SIGNATURE, Model, Outputs
from serving.server.settings import ServerSettings

_INLINE_BYTES = 100_000  # what is quicker looked at than handed to a thread


class Core:
    """One server's parts, and the limits they work within."""

    def __init__(
        self, settings: ServerSettings, catalog: Catalog, batcher: Batcher, metrics: Metrics
    ) -> None:
        self.settings, self.catalog = settings, catalog
        self.batcher, self.metrics = batcher, metrics
        self.draining = False
        self._at_work = self._held = 0

    @property
    def ready(self) -> bool:
        """Whether requests should come here."""
        return bool(self.catalog.available) and not self.draining

    @asynccontextmanager
    async def admitted(self, model: str, api: str, entrypoint: str) -> AsyncIterator[None]:
        """Around a request for a prediction, its body included: limits, counts and times it.

        Raises:
          ServingError: RESOURCE_EXHAUSTED beyond `max_requests`, DEADLINE_EXCEEDED after
            `request_seconds`.
        """
        # Names that are not served are not kept: anybody can make them up.
        model = model if model == self.catalog.name else ""
        began, status = time.perf_counter(), grpc.StatusCode.OK
        self._at_work += 1
        self.metrics.at_work.set(self._at_work)
        try:
            if self._at_work > self.settings.max_requests:
                raise ServingError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"More than {self.settings.max_requests} requests at once",
                )
            try:
                async with asyncio.timeout(self.settings.request_seconds):
                    yield
            except TimeoutError:
                raise ServingError(
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    f"No answer within {self.settings.request_seconds} s",
                ) from None
            self.metrics.took(model, api, entrypoint, time.perf_counter() - began)
        except ServingError as error:
            status = error.code
            raise
        except asyncio.CancelledError:
            status = grpc.StatusCode.CANCELLED
            raise
        except BaseException:
            status = grpc.StatusCode.INTERNAL
            raise
        finally:
            self._at_work -= 1
            self.metrics.at_work.set(self._at_work)
            self.metrics.request(model, status.name)

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Yields what is to be told of bytes that are kept in memory until the block ends.

        It raises ServingError, RESOURCE_EXHAUSTED, when all requests would hold more than
        `max_held_bytes`.
        """
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            if self._held + size > self.settings.max_held_bytes:
                raise ServingError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"More than {self.settings.max_held_bytes} bytes in requests at once",
                )
            self._held += size
            held += size

        try:
            yield hold
        finally:
            self._held -= held

    async def predict(self, model: Model, signature: str, rows: Sequence[bytes]) -> Outputs:
        """Checks the rows, and answers them within a batch.

        Args:
          model: on lease.
          signature: one that the model can be asked by.
          rows: what it takes.

        Raises:
          ServingError: see pictures.check and Batcher.submit.
        """
        if not rows:
            raise invalid("The request holds no input")
        takes = model.input_name(signature) or ""
        limits = takes, rows[: self.settings.max_batch_size], self.settings.max_pixels
        if sum(map(len, rows)) > _INLINE_BYTES:
            await asyncio.to_thread(pictures.check, *limits)
        else:
            pictures.check(*limits)
        return await self.batcher.submit(model, signature, rows)


def refuse_method(model: Model, signature: str, kind: str) -> ServingError:
    """TF Serving's refusal to classify or regress with a model that only predicts.

    Args:
      model: which.
      signature: its name, the default one if empty.
      kind: "classify" or "regress".
    """
    name = signature or DEFAULT_SIGNATURE
    if name not in model.signatures:
        return invalid(f"No signature was found with the name: {name}")
    noun = {"classify": "classification", "regress": "regression"}[kind]
    return invalid(
        f"Expected {noun} signature method_name to be tensorflow/serving/{kind}. "
        f"Was: {model.signatures[name].method_name}"
    )
