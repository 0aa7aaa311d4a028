"""Whatever comes at once: everybody gets their own answers, and pays for no other's mistake."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.server.batching import Batcher, ask_together
from serving.server.errors import ServingError, invalid
from serving.server.model import Outputs

BAD = b"bad"


class Echo:
    """Answers each row with itself; refuses a batch with a bad one; can be held."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def run(self, _signature: str, rows: Sequence[bytes]) -> Outputs:
        self.batches.append(list(rows))
        assert self.go_on.wait(30)
        if BAD in rows:
            raise invalid("a bad one")
        return {"echo": np.array(rows, dtype=object)}


def ask_all(model: Any, requests: list[list[bytes]], **options: Any) -> list[Any]:
    """What each of these requests, sent at once, is answered."""

    async def run() -> list[Any]:
        told = {"max_size": 8, "max_wait_ms": 1, "max_queued": 10_000, "threads": 2} | options
        batcher = Batcher(**told)
        try:
            asked = [batcher.submit(model, "serving_default", rows) for rows in requests]
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await batcher.close()

    return asyncio.run(run())


ROWS = st.lists(st.sampled_from([b"a", b"b", b"c", b"d", BAD]), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(ROWS, max_size=20), st.integers(1, 3))
def test_everybody_gets_their_own(requests: list[list[bytes]], threads: int) -> None:
    model = Echo()
    answers = ask_all(model, requests, threads=threads)
    for rows, answer in zip(requests, answers, strict=True):
        if BAD in rows:
            assert isinstance(answer, ServingError)
            assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
        else:
            assert answer["echo"].tolist() == rows
    assert all(len(batch) <= 8 for batch in model.batches)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(ROWS, min_size=1, max_size=16))
def test_halving_finds_the_bad_ones(requests: list[list[bytes]]) -> None:
    model = Echo()
    answers = ask_together(model, "serving_default", requests)  # type: ignore[arg-type]
    assert [isinstance(one, ServingError) for one in answers] == [BAD in one for one in requests]
    # Halving, and not one by one: with few bad ones, few runs.
    bad = sum(BAD in rows for rows in requests)
    assert len(model.batches) <= 1 + 2 * bad * (len(requests) - 1).bit_length()


def test_what_waits_is_asked_together_and_first_come_first_served() -> None:
    async def run() -> list[list[bytes]]:
        model = Echo()
        model.go_on.clear()
        batcher = Batcher(max_size=4, max_wait_ms=0, max_queued=100, threads=1)
        asked = [asyncio.create_task(batcher.submit(model, "s", [b"first"]))]  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        for i in range(8):
            asked.append(asyncio.create_task(batcher.submit(model, "s", [b"%d" % i])))  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        model.go_on.set()
        await asyncio.gather(*asked)
        await batcher.close()
        return model.batches

    assert asyncio.run(run()) == [[b"first"], [b"0", b"1", b"2", b"3"], [b"4", b"5", b"6", b"7"]]


def test_a_full_queue_refuses_and_recovers() -> None:
    async def run() -> tuple[list[Any], Any]:
        model = Echo()
        model.go_on.clear()
        batcher = Batcher(max_size=2, max_wait_ms=0, max_queued=4, threads=1)

        def ask(rows: list[bytes]) -> "asyncio.Task[Outputs]":
            return asyncio.create_task(batcher.submit(model, "s", rows))  # type: ignore[arg-type]

        first = ask([b"x"])
        await asyncio.sleep(0.05)
        asked = [ask([b"y"]) for _ in range(6)]
        await asyncio.sleep(0.05)
        model.go_on.set()
        answers = await asyncio.gather(first, *asked, return_exceptions=True)
        later = await ask([b"z"])
        await batcher.close()
        return answers, later

    answers, later = asyncio.run(run())
    refused = [one for one in answers if isinstance(one, ServingError)]
    assert len(refused) == 2
    assert {one.code for one in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert later["echo"].tolist() == [b"z"]


def test_who_went_away_is_not_asked_for() -> None:
    async def run() -> list[list[bytes]]:
        model = Echo()
        model.go_on.clear()
        batcher = Batcher(max_size=8, max_wait_ms=0, max_queued=100, threads=1)
        rows = ([b"first"], [b"gone"], [b"stays"])
        asked = []
        for one in rows:
            asked.append(asyncio.create_task(batcher.submit(model, "s", one)))  # type: ignore[arg-type]
            await asyncio.sleep(0.05)
        asked[1].cancel()
        await asyncio.sleep(0.05)
        model.go_on.set()
        await asyncio.gather(*asked, return_exceptions=True)
        assert batcher.queued == 0
        await batcher.close()
        return model.batches

    assert asyncio.run(run()) == [[b"first"], [b"stays"]]


def test_more_than_a_batch_takes_is_refused() -> None:
    (answer,) = ask_all(Echo(), [[b"a"] * 9])
    assert isinstance(answer, ServingError)
    assert answer.message == "Task size 9 is larger than maximum input batch size 8"


def test_a_defect_of_the_model_does_not_stop_the_queue() -> None:
    class Broken:
        def run(self, _signature: str, _rows: Sequence[bytes]) -> Outputs:
            raise RuntimeError("a defect")

    answers = ask_all(Broken(), [[b"a"], [b"b"]], max_size=1, threads=1)
    assert [type(one) for one in answers] == [RuntimeError, RuntimeError]
    with pytest.raises(RuntimeError, match="a defect"):
        raise answers[0]
