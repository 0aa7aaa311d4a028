"""Which versions there are, which are served, and how one takes the place of another.

A version is asked only once it is loaded and warm; the one it replaces is given up after that, and
closed when its last request is answered. One that does not load changes nothing but its own state.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from serving import versions
from serving.server.errors import ServingError, invalid
from serving.server.model import Model
from serving.server.version import Version, return_memory, status_of

State = ModelVersionStatus.State
DEFAULT_LABELS = ("stable", "canary")  # the newest version, unless told otherwise
RETRY_SECONDS = 60.0  # TF Serving's, as the number of tries
MAX_TRIES = 5
_KEPT_STATES = 100  # versions that ended and are still told of


class Catalog:
    """The versions of one model; used within one event loop."""

    def __init__(
        self,
        base_path: Path,
        name: str,
        keep: int,
        labels: Mapping[str, int],
        load: Callable[[Path, int], Model],
        say: Callable[[str], None],
    ) -> None:
        """Loads nothing yet: see `refresh`.

        Args:
          base_path: holds the versions.
          name: the model's.
          keep: how many of the newest versions that load are served.
          labels: label to version.
          load: makes a version ready to be asked; runs in a thread.
          say: is told what changes, in one line each.
        """
        self.base_path, self.name, self.keep = base_path, name, keep
        self.labels = dict(labels)
        self.only: frozenset[int] | None = None  # serve just these, whatever is newer
        self._load, self._say = load, say
        self._versions: dict[int, Version] = {}
        self._changing = asyncio.Lock()

    @property
    def available(self) -> list[int]:
        """The versions that are served, ascending."""
        return sorted(n for n, one in self._versions.items() if one.model is not None)

    def failures(self) -> dict[int, str]:
        """Why versions did not load."""
        return {n: one.error.message for n, one in self._versions.items() if one.error}

    async def refresh(self) -> None:
        """Looks at the folder once, and loads and gives up what it takes."""
        async with self._changing:
            await self._give_up_unwanted(await self._bring_up_wanted())

    async def watch(self, seconds: float) -> None:
        """Refreshes until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except OSError as error:  # the folder cannot be read now
                self._say(f"{self.base_path} cannot be looked at: {error}")

    @contextmanager
    def lease(self, name: str, version: int | None, label: str) -> Iterator[Model]:
        """A version to ask, which is not closed before this ends.

        Args:
          name: of the model.
          version: the newest if None.
          label: names a version instead, unless empty.

        Raises:
          ServingError: as TF Serving, when there is none.
        """
        found = self._find(name, version, label)
        assert found.model is not None
        found.requests += 1
        found.idle.clear()
        try:
            yield found.model
        finally:
            found.requests -= 1
            if not found.requests:
                found.idle.set()

    def status(self, name: str, version: int | None, label: str) -> list[ModelVersionStatus]:
        """The states of one version, or of all, the newest first.

        Raises:
          ServingError: as TF Serving, when it knows none.
        """
        if label:
            version = self._labelled(name, label)
        known = self._versions if name == self.name else {}
        if version is not None and version not in known:
            raise _not_found(f"Could not find version {version} of model {name}")
        if not known:
            raise _not_found(f"Could not find any versions of model {name}")
        chosen = [version] if version is not None else sorted(known, reverse=True)
        return [status_of(known[number]) for number in chosen]

    async def reconfigure(
        self, keep: int, only: frozenset[int] | None, labels: Mapping[str, int]
    ) -> None:
        """Serves by another policy from now on.

        Raises:
          ServingError: FAILED_PRECONDITION for a label of a version that is not served.
        """
        async with self._changing:
            before = self.keep, self.only, self.labels
            self.keep, self.only, self.labels = keep, only, dict(labels)
            there = await self._bring_up_wanted()
            for number in labels.values():
                if number not in self.available:
                    self.keep, self.only, self.labels = before
                    raise ServingError(
                        grpc.StatusCode.FAILED_PRECONDITION,
                        f"Request to assign label to version {number} of model {self.name}, "
                        "which is not currently available for inference",
                    )
            await self._give_up_unwanted(there)

    async def close(self) -> None:
        """Closes every version, once nobody asks it any more."""
        async with self._changing:
            for number in self.available:
                await self._give_up(number)

    def _find(self, name: str, version: int | None, label: str) -> Version:
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label:
            version = self._labelled(name, label)
        available = self.available if name == self.name else []
        if version is None and available:
            version = available[-1]
        if version not in available:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise _not_found(f"Servable not found for request: {wanted}")
        return self._versions[version]

    def _labelled(self, name: str, label: str) -> int:
        if name == self.name:
            if label in self.labels:
                return self.labels[label]
            if label in DEFAULT_LABELS and self.available:
                return self.available[-1]
        raise invalid(f"Unrecognized servable version label: {label}")

    def _wanted(self, there: list[int]) -> list[int]:
        """What should be served of the versions that are there, the newest first.

        Versions that do not load do not count: behind them, an older one is served.
        """
        if self.only is not None:
            newest = [number for number in there if number in self.only]
        else:
            newest = [number for number in there if not self._failed(number)][-self.keep :]
        labelled = [number for number in there if number in self.labels.values()]
        return sorted({*newest, *labelled}, reverse=True)

    async def _bring_up_wanted(self) -> list[int]:
        """Loads what should be served; returns the versions that are there."""
        there = await asyncio.to_thread(versions.list_versions, self.base_path)
        while (number := self._next_to_load(there)) is not None:
            await self._bring_up(number)
        return there

    async def _give_up_unwanted(self, there: list[int]) -> None:
        wanted = self._wanted(there)
        # What is served now stays until something wanted is.
        if any(number in wanted for number in self.available):
            for number in [one for one in self.available if one not in wanted]:
                await self._give_up(number)
        self._forget()

    def _next_to_load(self, there: list[int]) -> int | None:
        missing = (
            number
            for number in self._wanted(there)
            if number not in self.available and not self._failed(number)
        )
        return next(missing, None)

    def _failed(self, number: int) -> bool:
        """Whether it did not load, and neither its files nor the time are a reason to try again."""
        one = self._versions.get(number)
        if one is None or one.error is None:
            return False
        again = one.tried < MAX_TRIES and time.monotonic() - one.tried_at > RETRY_SECONDS
        return not again and one.content == self._content(number)

    def _content(self, number: int) -> tuple[int, int]:
        try:
            found = (self.base_path / str(number) / "saved_model.pb").stat()
        except OSError:
            return (0, 0)
        return found.st_mtime_ns, found.st_size

    async def _bring_up(self, number: int) -> None:
        before = self._versions.get(number)
        one = self._versions[number] = Version(number, ModelVersionStatus.LOADING)
        one.idle.set()
        content = self._content(number)
        try:
            one.model = await asyncio.to_thread(self._load, self.base_path / str(number), number)
        except Exception as error:
            message = error.message if isinstance(error, ServingError) else str(error)
            code = error.code if isinstance(error, ServingError) else grpc.StatusCode.UNKNOWN
            same = before is not None and before.content == content
            one.error, one.content = ServingError(code, message), content
            one.tried, one.tried_at = (before.tried if same and before else 0) + 1, time.monotonic()
            one.state = ModelVersionStatus.END
            served = ", ".join(map(str, self.available))
            rest = f"; still serving {served}" if served else ""
            self._say(f"version {number} does not load: {message}{rest}")
            return
        one.state = ModelVersionStatus.AVAILABLE
        self._say(f"version {number} is served")

    async def _give_up(self, number: int) -> None:
        one = self._versions[number]
        model, one.model, one.state = one.model, None, ModelVersionStatus.UNLOADING
        await one.idle.wait()
        if model is not None:
            await asyncio.to_thread(model.close)
        del model
        await asyncio.to_thread(return_memory)
        one.state = ModelVersionStatus.END
        self._say(f"version {number} is served no more")

    def _forget(self) -> None:
        ended = sorted(n for n, one in self._versions.items() if one.state == State.Value("END"))
        for number in ended[:-_KEPT_STATES]:
            del self._versions[number]


def _not_found(message: str) -> ServingError:
    return ServingError(grpc.StatusCode.NOT_FOUND, message)
