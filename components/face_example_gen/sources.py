"""Reading a data source: a folder, a tar archive (plain or gzipped) or a zip archive.

Every source is read as a stream: nothing is unpacked to disk, nothing is ever written under a
member's name, and one member's bytes are held at a time.
"""

import calendar
import contextlib
import errno
import functools
import gzip
import hashlib
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, Any, NamedTuple, TypeGuard

from components.face_example_gen.policy import DEFAULT_POLICY
from components.face_example_gen.rejects import Reason, Reject
from pipeline.errors import UserError

_TAIL_BYTES = 64 * 2**10
_CHUNK_BYTES = 2**20
_MAX_HEADER_BYTES = 2**20  # of a tar member; tarfile reads them whole
_KINDS = "a folder, .tar.gz, .tgz, .tar or .zip"


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
    uri: str, wanted: Callable[[str], bool], max_bytes: int = DEFAULT_POLICY.max_file_bytes
) -> Iterator[tuple[str, bytes | Reject]]:
    """Name and bytes of every file whose name is `wanted`; a Reject where they cannot be had.

    A file of more than `max_bytes` is not read: it is a Reject.

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
    except UserError:
        raise
    except Exception as error:  # whatever damaged bytes lead tarfile, zipfile and zlib to
        if _is_of_the_system(error):
            what = f"cannot be read: {error.strerror}: {error.filename or uri}"
            raise UserError(f"{uri}: {what}; mend its permissions or copy it elsewhere") from error
        what = f"is cut short, damaged or no archive ({_words(error)})"
        raise UserError(f"{uri}: {what}; copy or download it again") from error


def _is_of_the_system(error: Exception) -> TypeGuard[OSError]:
    # EINVAL: damaged offsets led to a place before the file's start.
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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


def _folder_members(folder: Path) -> Iterator[_Member]:
    waiting = _last_first(folder, "")
    while waiting:
        item, name = waiting.pop()
        if item.is_dir(follow_symlinks=False):
            waiting += _last_first(item.path, f"{name}/")
            continue
        status = item.stat(follow_symlinks=False)
        entry = Entry(name, status.st_size, status.st_mtime)
        obstacle = _obstacle(stat.S_ISREG(status.st_mode))
        yield _Member(entry, obstacle, functools.partial(_read_file, item.path))


def _last_first(folder: Path | str, below: str) -> list[tuple[os.DirEntry[str], str]]:
    items = sorted(os.scandir(folder), key=lambda item: item.name, reverse=True)
    return [(item, below + _utf8(item.name)) for item in items if not _is_hidden(item.name)]


def _read_file(path: str, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            # Asked for more than there is, it would first make room for all of that.
            return file.read(min(size, os.fstat(file.fileno()).st_size))
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
    return file.read(min(size, info.size)) if file else b""  # as in _read_file


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

    def _proc_member(self, tarfile: Any) -> Any:
        # Long names and pax headers, which precede a member.
        if self.type in b"LKxgX" and self.size > _MAX_HEADER_BYTES:
            raise ReadError(f"a member's header of {self.size:,} bytes")
        return super()._proc_member(tarfile)  # type: ignore[misc]


def _zip_members(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.flag_bits & 0x1:
                raise UserError(f"{path}: is encrypted; give one without a password")
            if not info.filename.endswith("/"):  # is_dir() cannot take an empty name
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
    except Exception as error:  # whatever damaged bytes lead zipfile and its codecs to
        if _is_of_the_system(error):
            raise
        raise _UnreadableError(_words(error)) from error


def _obstacle(is_regular: bool) -> str:
    return "" if is_regular else "a link or device, not a file"


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")


def _member_name(name: str) -> str:
    """`name` below the archive's root: tar, too, drops the leading slash of absolute names."""
    return _utf8("/".join(part for part in name.split("/") if part not in ("", ".")))


def _utf8(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
