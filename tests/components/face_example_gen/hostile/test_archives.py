"""An archive may be damaged, or made to do damage."""

import gzip
import struct
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given

from components.face_example_gen import sources
from pipeline.errors import UserError

from ..conftest import drawing, encoded
from .archives import TAR_GZS, TARS, ZIPS, Member, packed
from .drill import EFFORT, check_source, trying

# Ours, of making duplicate members, and Pillow's, of damage.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("effort", EFFORT)
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_any_archive(kind: str, effort: int, tmp_path: Path) -> None:
    uri = tmp_path / f"faces.{kind}"
    seen: Counter[str] = Counter()

    @trying(60 * effort)
    @given({"tar": TARS, "tar.gz": TAR_GZS | TARS.map(gzip.compress), "zip": ZIPS}[kind])
    def check(data: bytes) -> None:
        uri.write_bytes(data)
        seen.update(check_source(uri))

    check()
    assert {"used", "refused", "bad_name"} <= set(seen)
    assert list(tmp_path.iterdir()) == [uri], "something was unpacked"


def test_a_small_tar_cannot_ask_for_much_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("1_1_1.jpg")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4 * 2**30
    uri = tmp_path / "faces.tar"
    with uri.open("wb") as file:
        file.write(info.tobuf())
        file.truncate(info.size + 2048)  # with a hole: takes no space

    with pytest.raises(UserError, match="header of 4,294,967,296 bytes"):
        sources.list_entries(str(uri))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_costs_that_member_whatever_packed_it(method: int, tmp_path: Path) -> None:
    members = [Member(f"{i}_1_1.jpg", b"0", encoded(drawing(i)), {}) for i in range(2)]
    data = bytearray(packed(members, method, 0))
    data[60:90] = bytes(30)
    uri = tmp_path / "faces.zip"
    uri.write_bytes(data)

    assert check_source(uri) == {"used": 1, "unreadable": 1}


@pytest.mark.parametrize("offset", [2**31, 2**32 - 2])
def test_a_zip_member_that_lies_elsewhere_is_a_reject(offset: int, tmp_path: Path) -> None:
    names = ["1_1_1.jpg", ""]
    members = [Member(name, b"0", encoded(drawing(0)), {}) for name in names]
    data = bytearray(packed(members, zipfile.ZIP_DEFLATED, 0))
    at = data.index(b"PK\x01\x02") + 42
    data[at : at + 4] = struct.pack("<I", offset)
    uri = tmp_path / "faces.zip"
    uri.write_bytes(data)

    assert check_source(uri) == {"unreadable": 1, "bad_name": 1}
