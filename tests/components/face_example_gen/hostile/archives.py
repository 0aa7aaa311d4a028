"""Archives of whatever names, kinds and bytes, themselves edited."""

import functools
import gzip
import io
import tarfile
import zipfile
from typing import NamedTuple

from hypothesis import strategies as st

from .names import NAMES
from .pictures import BYTES, SOME_EDITS, edited


class Member(NamedTuple):
    """Something in an archive or a folder."""

    name: str
    kind: bytes  # as tar has it
    data: bytes
    extra: dict[str, str]


KINDS = st.sampled_from(
    [tarfile.REGTYPE] * 12 + [bytes([code]) for code in b"\x00123456 7LKSxgXVDNAZ"]
)
NUMBERS = st.sampled_from(["0", "-1", "9" * 30, "1e9", "nan", "", "x", "512", "-512", str(2**63)])
PAX = st.dictionaries(
    st.one_of(
        st.sampled_from(
            ["path", "linkpath", "size", "mtime", "uid", "GNU.sparse.major", "GNU.sparse.minor",
             "GNU.sparse.size", "GNU.sparse.realsize", "GNU.sparse.map", "GNU.sparse.numblocks",
             "GNU.sparse.name", "GNU.sparse.offset", "hdrcharset", "comment"]
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="=\0"), min_size=1, max_size=9),
    ),
    NUMBERS | st.sampled_from(["0,512", "1", "../../up.jpg", "/etc/passwd", "BINARY", "1_1_1.jpg"]),
    max_size=3,
)  # fmt: skip
PLAIN = st.builds(Member, NAMES, st.just(tarfile.REGTYPE), BYTES, st.just({}))
ODD = st.builds(Member, NAMES, KINDS, BYTES, PAX)
MEMBERS = st.lists(PLAIN | ODD, max_size=4)


def without_surrogates(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def tar(members: list[Member], form: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form, errors="replace") as archive:
        for name, kind, data, extra in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "../" * 9 + "etc/passwd"
            info.pax_headers = extra
            try:
                archive.addfile(info, io.BytesIO(data))
            except ValueError:  # this form cannot hold that name
                info.name = "1_1_1.jpg"
                archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def packed(members: list[Member], method: int, levels: int) -> bytes:
    """A zip, or a zip of a zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, kind, data, _ in members:
            info = zipfile.ZipInfo(without_surrogates(name)[:60_000])
            info.compress_type = method
            info.external_attr = (0o120777 if kind in b"12" else 0o100644) << 16
            archive.writestr(info, data)
    if levels:
        return packed([Member("inner.zip", b"0", stream.getvalue(), {})], method, levels - 1)
    return stream.getvalue()


FORMS = st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
METHODS = st.sampled_from(
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
TARS = st.builds(edited, st.builds(tar, MEMBERS, FORMS), SOME_EDITS)
TAR_GZS = st.builds(edited, TARS.map(functools.partial(gzip.compress, compresslevel=1)), SOME_EDITS)
ZIPS = st.builds(
    edited, st.builds(packed, MEMBERS, METHODS, st.sampled_from([0, 0, 0, 1])), SOME_EDITS
)
