import gzip
import os
import random
import re
import tarfile
from pathlib import Path

import pytest

from components.face_example_gen import sources
from components.face_example_gen.rejects import Reason, Reject
from pipeline.errors import UserError

from .conftest import WRITERS, Files, write_folder, write_tar, write_zip

FILES: Files = {
    "UTKFace/1.jpg": b"one",
    "UTKFace/deeper/ü 2.jpg": b"two" * 9000,
    "UTKFace/b.txt": b"",
}

NOISE = {f"{i}.jpg": random.Random(i).randbytes(2000) for i in range(5)}


def read(uri: Path, **options: int) -> dict[str, bytes | Reject]:
    return dict(sources.read_entries(str(uri), lambda _: True, **options))


def reasons(found: dict[str, bytes | Reject]) -> dict[str, Reason]:
    assert all(isinstance(outcome, Reject) for outcome in found.values())
    return {name: outcome.reason for name, outcome in found.items() if isinstance(outcome, Reject)}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_source_gives_the_same_files(kind: str, tmp_path: Path) -> None:
    uri = WRITERS[kind](tmp_path, FILES)

    assert read(uri) == FILES
    entries = sources.list_entries(str(uri))
    assert {(e.name, e.size) for e in entries} == {(n, len(d)) for n, d in FILES.items()}
    only = sources.read_entries(str(uri), lambda name: name.endswith(".txt"))
    assert list(only) == [("UTKFace/b.txt", b"")]


@pytest.mark.parametrize("kind", WRITERS)
def test_hidden_files_and_resource_forks_are_passed_over(kind: str, tmp_path: Path) -> None:
    hidden = {".DS_Store": b"x", ".git/1.jpg": b"x", "__MACOSX/._1.jpg": b"x", "a/._1.jpg": b"x"}

    assert read(WRITERS[kind](tmp_path, FILES | hidden)) == FILES


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    names = [f"{i}.jpg" for i in random.Random(0).sample(range(100), 20)]
    write_folder(tmp_path, dict.fromkeys(names, b""))

    assert [entry.name for entry in sources.list_entries(str(tmp_path))] == sorted(names)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_members_cannot_leave_the_archive(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    absolute = f"{tmp_path}/absolute.jpg"
    uri = WRITERS[kind](tmp_path, {"../up.jpg": b"x", "a/../../up.jpg": b"x", absolute: b"abs"})

    found = read(uri)

    assert found.pop(absolute.lstrip("/")) == b"abs"
    assert reasons(found) == dict.fromkeys(["../up.jpg", "a/../../up.jpg"], Reason.UNREADABLE)
    assert list(tmp_path.iterdir()) == [uri]
    assert not (tmp_path.parent / "up.jpg").exists()


def test_links_and_pipes_are_rejects_that_are_never_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    root = write_folder(tmp_path / "faces", {"1.jpg": b"one"})
    (root / "link.jpg").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.jpg")  # opening it would wait for ever
    packed = tmp_path / "faces.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(root, "faces")

    for uri, below in ((root, ""), (packed, "faces/")):
        found = read(uri)
        assert found.pop(f"{below}1.jpg") == b"one"
        links = [f"{below}{name}" for name in ("folder", "link.jpg", "pipe.jpg")]
        assert reasons(found) == dict.fromkeys(links, Reason.UNREADABLE)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_above_the_limit_is_a_reject_and_the_next_ones_are_read(
    kind: str, tmp_path: Path
) -> None:
    files = {"1.jpg": b"1" * 100, "2.jpg": b"2" * 101, "3.jpg": b"3" * 100}

    found = read(WRITERS[kind](tmp_path, files), max_bytes=100)

    assert reasons({"2.jpg": found.pop("2.jpg")}) == {"2.jpg": Reason.TOO_LARGE}
    assert found == {"1.jpg": b"1" * 100, "3.jpg": b"3" * 100}


def test_a_damaged_zip_member_costs_that_member_only(tmp_path: Path) -> None:
    uri = write_zip(
        tmp_path / "faces.zip", {"1.jpg": random.Random(0).randbytes(500), "2.jpg": b"two"}
    )
    data = bytearray(uri.read_bytes())
    data[200] ^= 0xFF
    uri.write_bytes(data)

    found = read(uri)

    assert found.pop("2.jpg") == b"two"
    assert reasons(found) == {"1.jpg": Reason.UNREADABLE}


def cut(path: Path, size: int) -> Path:
    """`path` without all that follows its first (or, if negative, before its last) bytes."""
    path.write_bytes(path.read_bytes()[:size])
    return path


def encrypted(path: Path) -> Path:
    data = bytearray(write_zip(path, {"1.jpg": b"one"}).read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1
    path.write_bytes(data)
    return path


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


UNUSABLE = {
    "missing": lambda path: path / "absent",
    "empty folder": lambda path: path,
    "empty file": lambda path: written(path / "faces.zip", b""),
    "no archive": lambda path: written(path / "faces.tar.gz", b"no archive"),
    "a gzipped text": lambda path: write_folder(path, {"x.tgz": gzip.compress(b"text")}) / "x.tgz",
    "nothing in it": lambda path: write_tar(path / "faces.tar.gz", {}),
    "nothing but hidden": lambda path: write_zip(path / "faces.zip", {".hidden": b"x"}),
    "encrypted": lambda path: encrypted(path / "faces.zip"),
    "zip cut": lambda path: cut(write_zip(path / "faces.zip", NOISE), 3000),
    "tar.gz cut in a file": lambda path: cut(write_tar(path / "faces.tar.gz", NOISE), 5000),
    "tar.gz cut in its checksum": lambda path: cut(write_tar(path / "faces.tgz", NOISE), -4),
    "tar cut in a file": lambda path: cut(write_tar(path / "faces.tar", NOISE, "w"), 4000),
    "tar cut in a header": lambda path: cut(write_tar(path / "faces.tar", NOISE, "w"), 2560 + 100),
    "tar cut between files": lambda path: cut(write_tar(path / "faces.tar", NOISE, "w"), 2560),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_source_is_one_line_that_names_it(case: str, tmp_path: Path) -> None:
    uri = UNUSABLE[case](tmp_path)

    for reader in (read, lambda path: sources.list_entries(str(path))):
        with pytest.raises(UserError) as error:
            reader(uri)
        message = str(error.value)
        assert message.startswith(f"{uri}: ")
        assert "\n" not in message
        assert re.search("; (give|copy|mend) ", message), "no remedy"


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_whatever_is_wrong_with_an_archive_it_is_no_bug(kind: str, tmp_path: Path) -> None:
    uri = WRITERS[kind](tmp_path, FILES | NOISE)
    whole = uri.read_bytes()
    outcomes = set()
    for seed in range(300):
        rng = random.Random(seed)
        data = bytearray(whole)
        for _ in range(rng.choice([1, 3])):
            # Mostly where the names and headers are, not in the noise.
            at = rng.choice([rng.randrange(len(data)), rng.randrange(600), -rng.randrange(1, 600)])
            data[at] = rng.randrange(256)
        uri.write_bytes(data)
        try:
            outcomes.add(type(read(uri)))
        except UserError as error:
            outcomes.add(type(error))
    assert outcomes == {dict, UserError}


def test_the_fingerprint_changes_with_a_folder_and_only_then(tmp_path: Path) -> None:
    uri = str(write_folder(tmp_path, FILES))
    seen = [sources.fingerprint(uri), sources.fingerprint(uri)]
    assert len(set(seen)) == 1

    for change in (
        lambda: write_folder(tmp_path, {"new.jpg": b"x"}),
        lambda: (tmp_path / "new.jpg").rename(tmp_path / "other.jpg"),
        lambda: (tmp_path / "other.jpg").write_bytes(b"longer"),
        lambda: os.utime(tmp_path / "other.jpg", (1, 1)),
        lambda: (tmp_path / "UTKFace/1.jpg").unlink(),
    ):
        change()
        seen.append(sources.fingerprint(uri))
    assert len(set(seen)) == 6


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_the_fingerprint_sees_an_archive_replaced_behind_its_size_and_time(
    kind: str, tmp_path: Path
) -> None:
    noise = random.Random(0).randbytes(200_000)
    uri = WRITERS[kind](tmp_path, {"1.jpg": noise + b"one"})
    os.utime(uri, (1, 1))
    before, size = sources.fingerprint(str(uri)), uri.stat().st_size
    WRITERS[kind](tmp_path, {"1.jpg": b"two" + noise})
    os.utime(uri, (1, 1))

    assert uri.stat().st_size == size
    assert sources.fingerprint(str(uri)) != before
