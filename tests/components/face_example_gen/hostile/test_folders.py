"""A folder may hold whatever a file system can."""

import contextlib
import os
import socket
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..conftest import drawing, encoded
from .archives import Member
from .drill import EFFORT, check_source, trying
from .names import NAMES
from .pictures import BYTES

# Ours, of making duplicate members, and Pillow's, of damage.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


ITEMS = st.lists(
    st.builds(
        Member,
        NAMES,
        st.sampled_from(
            [b"file"] * 5 + [b"link", b"loop", b"pipe", b"socket", b"locked", b"itself"]
        ),
        BYTES,
        st.just({}),
    ),
    max_size=5,
)


def put(root: Path, item: Member) -> None:
    """Makes the item somewhere below `root`, as near to its name as the file system lets us."""
    name = os.fsencode(item.name.encode("utf-8", "surrogatepass").replace(b"\0", b"\xff"))
    parts = [part[:200] for part in name.split(b"/") if part not in (b"", b".", b"..")]
    path = Path(os.fsdecode(os.path.join(os.fsencode(root), *parts[:6] or [b"x"])))
    # The file system refuses some: two of a name, or a socket below a long path.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        match item.kind:
            case b"link":
                path.symlink_to("nowhere")
            case b"loop":
                path.symlink_to(root)
            case b"itself":
                path.symlink_to(path)
            case b"pipe":
                os.mkfifo(path)
            case b"socket":
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(str(path))
            case _:
                with path.open("xb") as file:  # never through a link or into a pipe
                    file.write(item.data)
                path.chmod(0 if item.kind == b"locked" else 0o644)


@pytest.mark.parametrize("effort", EFFORT)
def test_any_folder(effort: int) -> None:
    seen: Counter[str] = Counter()

    @trying(60 * effort)
    @given(ITEMS)
    def check(items: list[Member]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for item in items:
                put(Path(folder), item)
            seen.update(check_source(Path(folder)))

    check()
    assert {"used", "refused", "bad_name", "unreadable"} <= set(seen)


def test_folders_may_be_nested_as_deep_as_the_system_lets_them(tmp_path: Path) -> None:
    folders = [tmp_path]
    while len(folders) < 1500:  # beyond Python's limit of recursion
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    picture = folders[-1] / "1_1_1.jpg"
    picture.write_bytes(encoded(drawing(0)))
    try:
        assert check_source(tmp_path) == {"used": 1}
    finally:
        picture.unlink()  # pytest could not
        for folder in reversed(folders[1:]):
            folder.rmdir()
