"""Which versions are served: a new one only once it is ready, the old one until then."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving import versions
from serving.server import catalog as module
from serving.server.catalog import Catalog
from serving.server.errors import ServingError, invalid
from tests.serving.drills import write_model

BROKEN = 13  # what such a model is filled with


class Fake:
    def __init__(self, folder: Path, version: int) -> None:
        if (folder / "saved_model.pb").read_bytes()[0] == BROKEN:
            raise invalid("it is broken")
        self.version, self.closed = version, False

    def close(self) -> None:
        self.closed = True


class World:
    """A folder of versions, and what a catalog says of it."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path, self.base = tmp_path, tmp_path / "serving" / "agegender"
        self.said: list[str] = []
        self.base.mkdir(parents=True)

    def publish(self, fill: int = 1) -> int:
        number = len(list(self.tmp_path.glob("model*")))
        return versions.publish(write_model(self.tmp_path / f"model{number}", fill), self.base)

    def catalog(self, keep: int = 1, **labels: int) -> Catalog:
        load: Any = Fake
        return Catalog(self.base, "agegender", keep, labels, load, self.said.append)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(steps)


def served(catalog: Catalog, label: str = "", version: int | None = None) -> int:
    with catalog.lease("agegender", version, label) as model:
        return model.version


def states(catalog: Catalog) -> dict[int, str]:
    found = catalog.status("agegender", None, "")
    return {one.version: one.State.Name(one.state) for one in found}


def test_the_newest_takes_over(world: World) -> None:
    async def steps() -> None:
        catalog = world.catalog()
        world.publish()
        await catalog.refresh()
        assert served(catalog) == 1
        world.publish()
        await catalog.refresh()
        assert served(catalog) == served(catalog, "stable") == served(catalog, "canary") == 2
        assert states(catalog) == {2: "AVAILABLE", 1: "END"}
        assert world.said == [
            "version 1 is served",
            "version 2 is served",
            "version 1 is served no more",
        ]

    run(steps())


def test_a_version_that_does_not_load_changes_nothing(world: World) -> None:
    async def steps() -> None:
        catalog = world.catalog()
        world.publish()
        await catalog.refresh()
        world.publish(BROKEN)
        for _ in range(3):
            await catalog.refresh()
        assert served(catalog) == 1
        assert states(catalog) == {2: "END", 1: "AVAILABLE"}
        (failed,) = catalog.status("agegender", 2, "")
        assert (failed.status.error_code, failed.status.error_message) == (3, "it is broken")
        assert world.said[1:] == ["version 2 does not load: it is broken; still serving 1"]
        # Mended in place, it is tried again; so it is by a server that starts anew.
        write_model(world.tmp_path / "mended", 1)
        os.replace(
            world.tmp_path / "mended" / "saved_model.pb", world.base / "2" / "saved_model.pb"
        )
        await catalog.refresh()
        assert served(catalog) == 2
        world.publish(BROKEN)
        fresh = world.catalog()
        await fresh.refresh()
        assert served(fresh) == 2

    run(steps())


def test_a_failure_is_tried_again_after_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        catalog = world.catalog()
        world.publish(BROKEN)
        for _ in range(2):
            await catalog.refresh()
        assert len(world.said) == 1
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
        for _ in range(2 * module.MAX_TRIES):
            await catalog.refresh()
        assert len(world.said) == module.MAX_TRIES

    run(steps())


def test_a_replaced_version_is_closed_after_its_last_request(world: World) -> None:
    async def steps() -> None:
        catalog = world.catalog()
        world.publish()
        await catalog.refresh()
        with catalog.lease("agegender", None, "") as model:
            world.publish()
            swap = asyncio.create_task(catalog.refresh())
            while served(catalog) != 2:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert not swap.done()
            assert not model.closed  # type: ignore[attr-defined]
            assert states(catalog)[1] == "UNLOADING"
        await swap
        assert model.closed  # type: ignore[attr-defined]

    run(steps())


def test_labels_keep_a_version(world: World) -> None:
    async def steps() -> None:
        catalog = world.catalog(stable=1)
        for _ in range(3):
            world.publish()
        await catalog.refresh()
        assert catalog.available == [1, 3]
        assert served(catalog, "stable") == 1
        assert served(catalog, "canary") == served(catalog) == 3
        await catalog.reconfigure(2, None, {"stable": 2, "canary": 3})
        assert catalog.available == [2, 3]
        assert served(catalog, "stable") == 2
        with pytest.raises(
            ServingError, match=r"assign label to version 9 .*not currently available"
        ):
            await catalog.reconfigure(1, None, {"stable": 9})
        assert catalog.available == [2, 3]
        assert served(catalog, "stable") == 2
        await catalog.reconfigure(1, frozenset({1}), {})
        assert catalog.available == [1]

    run(steps())


def test_a_deleted_folder_is_served_on(world: World) -> None:
    async def steps() -> None:
        catalog = world.catalog()
        world.publish()
        await catalog.refresh()
        (world.base / "1").rename(world.tmp_path / "away")
        await catalog.refresh()
        assert served(catalog) == 1

    run(steps())


def test_what_there_is_none_of_is_refused_as_by_tf_serving(world: World) -> None:
    async def steps() -> None:
        catalog = world.catalog()
        world.publish()
        for name, version, label, code, said in [
            ("", None, "", 3, "ModelSpec has no name specified."),
            ("agegender", None, "", 5, "Servable not found for request: Latest(agegender)"),
            ("agegender", 7, "", 5, "Servable not found for request: Specific(agegender, 7)"),
            ("agegender", None, "x", 3, "Unrecognized servable version label: x"),
            ("other", None, "stable", 3, "Unrecognized servable version label: stable"),
        ]:
            with pytest.raises(ServingError) as refused, catalog.lease(name, version, label):
                pass
            assert (refused.value.code.value[0], refused.value.message) == (code, said)
        with pytest.raises(ServingError, match="Could not find any versions of model agegender"):
            catalog.status("agegender", None, "")
        await catalog.refresh()
        with pytest.raises(ServingError, match="Could not find version 7 of model") as refused:
            catalog.status("agegender", 7, "")
        assert refused.value.code is grpc.StatusCode.NOT_FOUND

    run(steps())
