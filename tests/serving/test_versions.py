"""The published folder: never half a version, never a number twice, whatever happens."""

import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from serving import versions
from tests.serving.drills import NAMES, SIZE, is_whole, write_model

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "agegender"


def test_a_reader_never_sees_half_a_version(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, done = threading.Condition(), threading.Event()
    looks, seen, broken = 0, set[int](), set[int]()

    def read_everything() -> None:
        nonlocal looks
        while not done.is_set():
            for number in [int(name) for name in os.listdir(model_dir) if name.isdecimal()]:
                seen.add(number)
                if not is_whole(model_dir / str(number)):
                    broken.add(number)
            with looked:
                looks += 1
                looked.notify()

    def await_a_whole_look() -> None:
        with looked:
            now = looks
            assert looked.wait_for(lambda: looks >= now + 2, timeout=60)

    def copy_before_its_eyes(source: str, target: str) -> None:
        with open(source, "rb") as old, open(target, "wb") as new:
            new.write(old.read(SIZE // 2))
            new.flush()
            await_a_whole_look()
            new.write(old.read())

    model_dir.mkdir(parents=True)
    monkeypatch.setattr(shutil, "copyfile", copy_before_its_eyes)
    reader = threading.Thread(target=read_everything)
    reader.start()
    try:
        for fill in range(1, 21):
            versions.publish(write_model(tmp_path / f"model{fill}", fill), model_dir)
            await_a_whole_look()
    finally:
        done.set()
        reader.join()
    assert broken == set()
    assert seen == set(range(1, 21))


def test_a_publisher_killed_at_any_moment_leaves_nothing_half_done(
    tmp_path: Path, model_dir: Path
) -> None:
    source = write_model(tmp_path / "model", 7)
    half_copied, published = 0, set[int]()
    for step in itertools.count():
        drill = [sys.executable, "-m", "tests.serving.drills", source, model_dir, str(step)]
        publisher = subprocess.run(drill, cwd=ROOT, timeout=120)
        if publisher.returncode == 0:
            break  # there is no moment left to die at
        assert publisher.returncode == -signal.SIGKILL

        half_copied += any(model_dir.parent.glob(".*.publishing"))
        found = {int(name) for name in os.listdir(model_dir)} if model_dir.is_dir() else set()
        assert all(is_whole(model_dir / str(number)) for number in found)
        # Nothing that was published is lost, and what is new has a number above all others.
        assert found >= published
        assert all(number > max(published, default=0) for number in found - published)
        published = found
    assert half_copied > 20
    assert published  # some died after the rename

    number = versions.publish(source, model_dir)
    assert number > max(published)
    assert is_whole(model_dir / str(number))
    assert sorted(os.listdir(model_dir.parent)) == [".agegender.version", "agegender"]


def test_a_second_publisher_waits_for_the_first(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (write_model(tmp_path / str(fill), fill) for fill in (1, 2))
    later: list[Future[int]] = []
    copy = shutil.copyfile

    def copy_while_another_starts(source: str, target: str) -> None:
        if not later:
            later.append(pool.submit(versions.publish, second, model_dir))
            # Without the lock it would be done long before this.
            with pytest.raises(TimeoutError):
                later[0].result(timeout=0.5)
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", copy_while_another_starts)
    with ThreadPoolExecutor() as pool:
        assert versions.publish(first, model_dir) == 1
        assert later[0].result(timeout=60) == 2
    for number in (1, 2):
        assert is_whole(model_dir / str(number))
        assert (model_dir / str(number) / NAMES[0]).read_bytes()[0] == number


def test_everything_is_on_the_disk_before_the_version_appears(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Path | str] = []
    rename = os.rename

    def note_sync(handle: int) -> None:
        events.append(Path(f"/proc/self/fd/{handle}").resolve())

    def note_rename(old: Path, new: Path) -> None:
        events.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", note_rename)
    versions.publish(write_model(tmp_path / "model", 1), model_dir)

    staging = model_dir.with_name(".agegender.publishing")
    before, after = events[: events.index("rename")], events[events.index("rename") + 1 :]
    assert {staging, staging / "variables", *(staging / name for name in NAMES)} <= set(before)
    assert model_dir in after


def test_numbers_only_grow(tmp_path: Path, model_dir: Path) -> None:
    source = write_model(tmp_path / "model", 1)
    assert [versions.publish(source, model_dir) for _ in range(11)] == list(range(1, 12))

    shutil.rmtree(model_dir)
    assert versions.publish(source, model_dir) == 12
    (model_dir / "40").touch()  # not ours, but a server would take it for a version
    assert versions.publish(source, model_dir) == 41
    assert versions.publish(model_dir / "12", model_dir) == 42  # a rollback


def test_a_failed_copy_publishes_nothing(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(source: str, _target: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source)

    source = write_model(tmp_path / "model", 1)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", disk_full)
        with pytest.raises(OSError, match="No space left"):
            versions.publish(source, model_dir)
    assert versions.list_versions(model_dir) == []
    assert sorted(os.listdir(model_dir.parent)) == [".agegender.version", "agegender"]

    (source / NAMES[0]).unlink()
    with pytest.raises(ValueError, match="not a whole SavedModel"):
        versions.publish(source, model_dir)


def test_listing_takes_whole_numeric_folders_only(model_dir: Path) -> None:
    assert versions.list_versions(model_dir) == []
    assert versions.latest(model_dir) is None
    for name in ("2", "10", "1.bak", ".3", "٣", "007"):
        write_model(model_dir / name, 1)
    write_model(model_dir / "11", 1)
    (model_dir / "11" / "variables" / "variables.index").unlink()

    assert versions.list_versions(model_dir) == [2, 10]
    assert versions.latest(model_dir) == model_dir / "10"


def test_the_digest_is_of_the_model_and_nothing_else(tmp_path: Path) -> None:
    first = write_model(tmp_path / "first", 1)
    digest = versions.content_digest(first)

    same = tmp_path / "7"
    shutil.copytree(first, same, copy_function=shutil.copyfile)
    os.utime(same / NAMES[0], (0, 0))
    (same / "assets.extra").mkdir()
    (same / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"warm")
    (same / "fingerprint.pb").write_bytes(b"a random id")
    assert versions.content_digest(same) == digest

    (same / NAMES[2]).rename(same / "variables" / "other")
    assert versions.content_digest(same) != digest
    (same / "variables" / "other").rename(same / NAMES[2])
    assert versions.content_digest(same) == digest
    with (same / NAMES[2]).open("r+b") as file:
        file.write(b"\0")
    assert versions.content_digest(same) != digest


def test_the_serving_state_sees_deletion_rollback_and_tampering(
    tmp_path: Path, model_dir: Path
) -> None:
    assert versions.serving_state(model_dir) == "none"
    states = set()
    for fill in (1, 2):
        versions.publish(write_model(tmp_path / str(fill), fill), model_dir)
        assert versions.serving_state(model_dir) == versions.serving_state(model_dir)
        states.add(versions.serving_state(model_dir))
    versions.publish(model_dir / "1", model_dir)
    states.add(versions.serving_state(model_dir))
    (model_dir / "3" / NAMES[0]).write_bytes(b"other")
    states.add(versions.serving_state(model_dir))
    assert len(states) == 4

    shutil.rmtree(model_dir)
    assert versions.serving_state(model_dir) == "none"
