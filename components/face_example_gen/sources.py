"""Reading a data source: a folder, a tar archive (plain or gzipped) or a zip archive.

Every source is read as a stream: nothing is unpacked to disk, nothing is ever written under a
member's name, and one member's bytes are held at a time.
"""

import calendar
import contextlib
import functools
import gzip
import hashlib
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, Any, NamedTuple

from components.face_example_gen.rejects import Reason, Reject
from pipeline.errors import UserError

MAX_FILE_BYTES = 32 * 2**20
_TAIL_BYTES = 64 * 2**10
_CHUNK_BYTES = 2**20
_KINDS = "a folder, .tar.gz, .tgz, .tar or .zip"


_DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)
_DAMAGED = (tarfile.TarError, gzip.BadGzipFile, *_DAMAGED_ZIP)


class Entry(NamedTuple):
    """A file of a source: its name below the root (parts joined by /), bytes, seconds."""

    name: str
    size: int
    mtime: float


class _Member(NamedTuple):
    entry: Entry
    obstacle: str  # why it must not be opened; empty when it may
    read: Callable[[int], bytes]  # its first n bytes


class _UnreadableError(Exception):
    """One file cannot be read; the rest of its source can."""


def list_entries(uri: str) -> list[Entry]:
    """The source's files, in the order `read_entries` reads them.

    Hidden files, `__MACOSX` and folders are left out. Links and devices are in: they are not
    followed or opened, and come out of `read_entries` as rejects.

    Raises:
        UserError: there is nothing at `uri`, it holds no file, or it cannot be read to its end.
    """
    return [member.entry for member in _members(uri)]


def read_entries(
    uri: str, wanted: Callable[[str], bool], max_bytes: int = MAX_FILE_BYTES
) -> Iterator[tuple[str, bytes | Reject]]:
    """Name and bytes of every file whose name is `wanted`; a Reject where they cannot be had.

    Raises:
        UserError: as `list_entries`.
    """
    with _one_line_errors(uri):
        for member in _members(uri):
            if wanted(member.entry.name):
                yield member.entry.name, _read(member, max_bytes)


def fingerprint(uri: str) -> str:
    """Hex digest that changes when the source does: names, sizes and times of a folder's files.

    An archive is not listed (a gzipped one would have to be read whole): its size, its time and
    its last 64 KiB stand for it. A gzip file ends with the checksum of all its content, a zip
    with the checksums of its last members.

    Raises:
        UserError: there is nothing at `uri` or it cannot be read.
    """
    path = _existing(uri)
    digest = hashlib.sha256()
    if path.is_dir():
        for entry in list_entries(uri):
            digest.update(f"{entry.name}\0{entry.size}\0{entry.mtime!r}\n".encode())
        return digest.hexdigest()
    with _one_line_errors(uri), path.open("rb") as file:
        status = os.fstat(file.fileno())
        digest.update(f"{status.st_size}\0{status.st_mtime_ns}\n".encode())
        file.seek(max(0, status.st_size - _TAIL_BYTES))
        digest.update(file.read())
    return digest.hexdigest()


def _existing(uri: str) -> Path:
    path = Path(uri).expanduser()
    if not path.exists():
        raise UserError(f"{uri}: there is no such file or folder; give {_KINDS}")
    if not path.is_dir() and not path.is_file():
        raise UserError(f"{uri}: is neither a folder nor a regular file; give {_KINDS}")
    return path


@contextlib.contextmanager
def _one_line_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        what = "is cut short, damaged or no archive"
        raise UserError(f"{uri}: {what} ({error}); copy or download it again") from error
    except OSError as error:
        what = f"cannot be read: {error.strerror}: {error.filename or uri}"
        raise UserError(f"{uri}: {what}; mend its permissions or copy it elsewhere") from error


def _members(uri: str) -> Iterator[_Member]:
    path = _existing(uri)
    empty = True
    with _one_line_errors(uri):
        for member in _reader(path)(path):
            parts = member.entry.name.split("/")
            if any(part == "__MACOSX" or _is_hidden(part) for part in parts):
                continue
            empty = False
            leads_out = "its path leads out of the archive" if ".." in parts else ""
            yield member._replace(obstacle=member.obstacle or leads_out)
    if empty:
        raise UserError(f"{uri}: holds no files; give {_KINDS} that holds face pictures")


def _read(member: _Member, max_bytes: int) -> bytes | Reject:
    name, size, _ = member.entry
    if member.obstacle:
        return Reject(name, Reason.UNREADABLE, member.obstacle)
    try:
        # A folder's file may have grown since it was listed: hence the second look at its size.
        data = member.read(max_bytes + 1) if size <= max_bytes else None
    except _UnreadableError as error:
        return Reject(name, Reason.UNREADABLE, str(error))
    if data is None or len(data) > max_bytes:
        return Reject(name, Reason.TOO_LARGE, f"more than {max_bytes:,} bytes")
    return data


def _reader(path: Path) -> Callable[[Path], Iterator[_Member]]:
    """Which reader the content (not the name) of `path` asks for."""
    if path.is_dir():
        return _folder_members
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise UserError(f"{path}: is empty (0 bytes); copy or download it again")
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_members
    if start.startswith(b"\x1f\x8b"):
        return _tar_gz_members
    if start[257:262] == b"ustar" or path.suffix == ".tar":
        return _tar_members
    raise UserError(f"{path}: is not an archive that can be read; give {_KINDS}")


def _folder_members(folder: Path, below: str = "") -> Iterator[_Member]:
    for item in sorted(os.scandir(folder), key=lambda item: item.name):
        name = below + _utf8(item.name)
        if _is_hidden(item.name):
            continue
        if item.is_dir(follow_symlinks=False):
            yield from _folder_members(Path(item.path), f"{name}/")
            continue
        status = item.stat(follow_symlinks=False)
        entry = Entry(name, status.st_size, status.st_mtime)
        obstacle = _obstacle(stat.S_ISREG(status.st_mode))
        yield _Member(entry, obstacle, functools.partial(_read_file, item.path))


def _read_file(path: str, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise _UnreadableError(error.strerror) from error


def _tar_gz_members(path: Path) -> Iterator[_Member]:
    with gzip.open(path) as stream:
        yield from _stream_members(stream)


def _tar_members(path: Path) -> Iterator[_Member]:
    with path.open("rb") as stream:
        yield from _stream_members(stream)


def _stream_members(stream: IO[bytes] | gzip.GzipFile) -> Iterator[_Member]:
    with tarfile.open(
        fileobj=stream, mode="r|", tarinfo=_StrictTarInfo, encoding="utf-8"
    ) as archive:
        while (info := archive.next()) is not None:
            # tarfile keeps every member it has passed, for a random access that streams lack.
            archive.members = []  # type: ignore[attr-defined]
            if not info.isdir():
                entry = Entry(_member_name(info.name), info.size, info.mtime)
                reader = functools.partial(_read_tar_member, archive, info)
                yield _Member(entry, _obstacle(info.isreg()), reader)
        while stream.read(_CHUNK_BYTES):
            pass  # gzip compares its checksum only at the very end


def _read_tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, size: int) -> bytes:
    file = archive.extractfile(info)
    return file.read(size) if file else b""


class _StrictTarInfo(tarfile.TarInfo):
    """Tells an archive's end from a cut: `tarfile` itself takes any bad header for the end."""

    @classmethod
    def fromtarfile(cls, tarfile: Any) -> Any:
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise
        except HeaderError as error:
            raise ReadError(str(error)) from error


def _zip_members(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.flag_bits & 0x1:
                raise UserError(f"{path}: is encrypted; give one without a password")
            if not info.is_dir():
                # Some Windows programs write backslashes, against the format.
                name = _member_name(info.filename.replace("\\", "/"))
                is_regular = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)
                reader = functools.partial(_read_zip_member, archive, info)
                entry = Entry(name, info.file_size, _zip_time(info))
                yield _Member(entry, _obstacle(is_regular), reader)


def _zip_time(info: zipfile.ZipInfo) -> float:
    try:
        return calendar.timegm((*info.date_time, 0, 0, 0))
    except ValueError:  # some programs write month 0, day 0
        return 0.0


def _read_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> bytes:
    try:
        with archive.open(info) as file:
            return file.read(size)
    except _DAMAGED_ZIP as error:
        raise _UnreadableError(str(error)) from error


def _obstacle(is_regular: bool) -> str:
    return "" if is_regular else "a link or device, not a file"


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")


def _member_name(name: str) -> str:
    """`name` below the archive's root: tar, too, drops the leading slash of absolute names."""
    return _utf8("/".join(part for part in name.split("/") if part not in ("", ".")))


def _utf8(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
