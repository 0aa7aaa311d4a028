"""Requests that come at the same time are asked of the model together.

A picture alone takes about twice the work of one in a batch. Whoever waits longest goes first;
what one request does wrong is answered to that request alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc

from serving.server.errors import ServingError, invalid
from serving.server.model import Model, Outputs

Rows = Sequence[bytes]
Key = tuple[Model, str]  # what can be asked together: a version and a signature


@dataclass(eq=False)
class _Waiting:
    rows: Rows
    answer: "asyncio.Future[Outputs]"
    since: float = field(default_factory=time.perf_counter)


class Batcher:
    """A queue before the model; made, used and closed within one event loop."""

    def __init__(
        self,
        max_size: int,
        max_wait_ms: float,
        max_queued: int,
        threads: int,
        observe: Callable[[int, Sequence[float]], None] = lambda _size, _waited: None,
    ) -> None:
        """Starts to work.

        Args:
          max_size: rows in a batch, and so in a request.
          max_wait_ms: the longest a request waits for others to fill its batch.
          max_queued: rows that may wait.
          threads: batches at work at the same time.
          observe: is told of each batch: its rows, and the seconds that each request waited.
        """
        self._max_size, self._max_wait = max_size, max_wait_ms / 1000
        self._max_queued, self._queued = max_queued, 0
        self._observe = observe
        self._waiting: dict[Key, deque[_Waiting]] = {}
        self._arrived = asyncio.Event()
        self._free = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="batch")
        self._at_work: set[asyncio.Task[None]] = set()
        self._dispatcher = asyncio.create_task(self._dispatch())

    @property
    def queued(self) -> int:
        """Rows that wait."""
        return self._queued

    async def submit(self, model: Model, signature: str, rows: Rows) -> Outputs:
        """The model's answers to these rows.

        Raises:
          ServingError: INVALID_ARGUMENT for more rows than a batch takes, RESOURCE_EXHAUSTED when
            the queue is full, and what the model refuses these rows with.
        """
        if len(rows) > self._max_size:
            raise invalid(
                f"Task size {len(rows)} is larger than maximum input batch size {self._max_size}"
            )
        if self._queued + len(rows) > self._max_queued:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "The batch scheduling queue to which this task was submitted is full",
            )
        waiting = _Waiting(rows, asyncio.get_running_loop().create_future())
        self._waiting.setdefault((model, signature), deque()).append(waiting)
        self._queued += len(rows)
        self._arrived.set()
        return await waiting.answer

    async def close(self) -> None:
        """Ends; what still waits is cancelled."""
        self._dispatcher.cancel()
        for queue in self._waiting.values():
            for waiting in queue:
                waiting.answer.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)
        self._pool.shutdown()

    async def _dispatch(self) -> None:
        while True:
            await self._free.acquire()
            key, batch = await self._next_batch()
            task = asyncio.create_task(self._ask(key, batch))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    async def _next_batch(self) -> tuple[Key, list[_Waiting]]:
        """The next requests to ask together; of those whose caller went away, none."""
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            key = min(self._waiting, key=lambda one: self._waiting[one][0].since)
            until = self._waiting[key][0].since + self._max_wait
            while not self._is_full(key) and (left := until - time.perf_counter()) > 0:
                self._arrived.clear()
                try:
                    await asyncio.wait_for(self._arrived.wait(), left)
                except TimeoutError:
                    break
            if batch := self._take(key):
                return key, batch

    def _is_full(self, key: Key) -> bool:
        return sum(len(one.rows) for one in self._waiting[key]) >= self._max_size

    def _take(self, key: Key) -> list[_Waiting]:
        queue, batch, size = self._waiting[key], [], 0
        while queue and size + len(queue[0].rows) <= self._max_size:
            waiting = queue.popleft()
            self._queued -= len(waiting.rows)
            if not waiting.answer.done():
                batch.append(waiting)
                size += len(waiting.rows)
        if not queue:
            del self._waiting[key]
        return batch

    async def _ask(self, key: Key, batch: list[_Waiting]) -> None:
        model, signature = key
        now = time.perf_counter()
        self._observe(sum(len(one.rows) for one in batch), [now - one.since for one in batch])
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._pool, ask_together, model, signature, [one.rows for one in batch]
            )
        except Exception as error:
            found = [error] * len(batch)
        finally:
            self._free.release()
        for waiting, outcome in zip(batch, found, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(outcome, Exception):
                waiting.answer.set_exception(outcome)
            else:
                waiting.answer.set_result(outcome)


def ask_together(model: Model, signature: str, requests: list[Rows]) -> list[Outputs | Exception]:
    """Each request's own answers, or its own refusal.

    When the model refuses the batch, its halves are asked, and so on: a picture that cannot be
    decoded fails before the costly part begins, and fails nobody else.
    """
    try:
        found = model.run(signature, [row for rows in requests for row in rows])
    except ServingError as error:
        if len(requests) == 1:
            return [error]
        half = len(requests) // 2
        return [
            outcome
            for part in (requests[:half], requests[half:])
            for outcome in ask_together(model, signature, part)
        ]
    answers: list[Outputs | Exception] = []
    begin = 0
    for rows in requests:
        end = begin + len(rows)
        answers.append({name: values[begin:end] for name, values in found.items()})
        begin = end
    return answers
