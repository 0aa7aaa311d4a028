"""Labels from a CSV file instead of names: a row a picture, the file's path in one of its columns.

Read whole by every worker that needs it: a row takes some 200 bytes of memory, a picture's labels
none of its own.
"""

import csv
import hashlib
import unicodedata
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from components.face_example_gen.labels import Labels, out_of_range
from components.face_example_gen.rejects import Reason, Reject
from components.face_example_gen.sources import fingerprint, list_entries
from pipeline.errors import UserError
from schema import features
from trainer.hyperparameters import Strict

_DELIMITERS = (",", ";", "\t")
_GENDERS = {"male": 0, "m": 0, "female": 1, "f": 1}
_RACES = {name.casefold(): index for index, name in enumerate(features.RACES)}
_OTHERS = features.RACES.index("Others")
_DEFAULT_RACE = "race"


class Columns(Strict):
    """What the columns of a file of labels are called; capitals do not matter."""

    file: str = Field("file", min_length=1, description="path below the folder or archive")
    age: str = Field("age", min_length=1, description="whole years")
    gender: str = Field("gender", min_length=1, description="0, male or m; 1, female or f")
    race: str = Field(
        _DEFAULT_RACE, min_length=1, description="0-4 or a name; all are Others without it"
    )


class LabelFile(NamedTuple):
    """Where labels are.

    Attributes:
      path: of a CSV file.
      columns: how its columns are called.
      folder: the one at the top of the source, which paths may leave out; "" when there is none.
    """

    path: str
    columns: Columns
    folder: str = ""


def told(data_uri: str, labels_uri: str, columns: str) -> LabelFile | None:
    """Where the labels of a source are; None when its names carry them.

    Args:
      data_uri: the source, which is listed.
      labels_uri: a CSV file; "" when there is none.
      columns: Columns as JSON.

    Raises:
      UserError: the source cannot be read to its end, or holds no file.
    """
    if not labels_uri:
        return None
    return LabelFile(labels_uri, Columns.model_validate_json(columns), top_folder(data_uri))


def top_folder(data_uri: str) -> str:
    """The folder that all files of a source are in; "" when there is none.

    Raises:
      UserError: as `told`.
    """
    tops = {entry.name.partition("/")[::2] for entry in list_entries(data_uri)}
    folders = {top for top, below in tops}
    return folders.pop() if len(folders) == 1 and all(below for _, below in tops) else ""


def data_fingerprint(data_uri: str, labels_uri: str) -> str:
    """Hex digest that changes when a source does, or the content of its labels' file if it has one.

    Raises:
      UserError: either cannot be read.
    """
    of_source = fingerprint(data_uri)
    if not labels_uri:
        return of_source
    path = Path(labels_uri).expanduser()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    of_labels = hashlib.sha256(content).hexdigest()
    return hashlib.sha256(f"{of_source}\0{of_labels}".encode()).hexdigest()


@dataclass
class Table:
    """A file of labels, read.

    Attributes:
      name: of the file, for messages.
      labels: by picture.
      rejects: pictures whose labels are no good, by picture.
      surplus: rows that name no picture, or one that another row has named.
    """

    name: str
    labels: dict[str, Labels] = field(default_factory=dict)
    rejects: dict[str, Reject] = field(default_factory=dict)
    surplus: list[Reject] = field(default_factory=list)

    def label(self, file: str) -> Labels | Reject:
        """The labels of a picture, or why it has none."""
        key = _key(file)
        found = self.labels.get(key) or self.rejects.get(key)
        if found is None:
            return Reject(file, Reason.NO_LABEL, f"no row of {self.name} names it")
        return found._replace(file=file) if isinstance(found, Reject) else found

    def without_picture(self, seen: Set[str]) -> Iterator[Reject]:
        """What of the file is left when the pictures of a source were `seen`."""
        keys = {_key(file) for file in seen}
        detail = f"{self.name} names it, but there is no such file"
        for key in (*self.labels, *self.rejects):
            if key not in keys:
                yield Reject(key, Reason.NO_PICTURE, detail)
        yield from self.surplus


def read(source: LabelFile) -> Table:
    """Reads a file of labels: UTF-8, with a header, cells apart by comma, semicolon or tab.

    Rows that are no good become rejects.

    Raises:
      UserError: the file cannot be read, is no CSV, or lacks a column or any row.
    """
    path = Path(source.path).expanduser()
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, delimiter=_delimiter(path, source.columns), strict=True)
            header = next(rows, [])
            places = _places(path, header, source.columns)
            table = _Reading(path.name, len(header), places, source.folder)
            for row in rows:
                if any(map(str.strip, row)):
                    table.take(row, rows.line_num)
                line = rows.line_num + 1
    except UnicodeDecodeError as error:
        line = _undecodable_line(path)
        raise UserError(f"{path}: line {line}: is not UTF-8; save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(
            f"{path}: line {line} or after: is no CSV ({error}); mend its quotes"
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if not table.rows:
        raise UserError(f"{path}: line 2: holds no rows below its header; give one a picture")
    return table.table


class _Places(NamedTuple):
    """Where the columns are; `race` is None when there is none."""

    file: int
    age: int
    gender: int
    race: int | None


class _Reading:
    """A file of labels while it is read."""

    def __init__(self, name: str, width: int, places: _Places, folder: str) -> None:
        self.table = Table(name)
        self.rows = 0
        self._width, self._places, self._folder = width, places, folder
        self._lines: dict[str, int] = {}
        self._same: dict[Labels, Labels] = {}  # a thousand, however many rows there are

    def take(self, row: list[str], line: int) -> None:
        """Notes what a row says."""
        self.rows += 1
        name = self.table.name
        file = row[self._places.file] if len(row) > self._places.file else ""
        key = self._below_root(file)
        if not key:
            self._leave(line, Reason.BAD_LABEL, "the row names no file")
            return
        found = self._labels(key, row)
        if key in self._lines:
            self._repeated(key, found, line)
            return
        self._lines[key] = line
        if isinstance(found, Labels):
            self.table.labels[key] = self._same.setdefault(found, found)
        else:
            detail = f"line {line} of {name}: {found.detail}"
            self.table.rejects[key] = found._replace(detail=detail)

    def _repeated(self, key: str, found: Labels | Reject, line: int) -> None:
        first = self._lines[key]
        known = self.table.labels.get(key)
        if known is not None and found != known:
            del self.table.labels[key]
            detail = f"lines {first} and {line} of {self.table.name} contradict each other"
            self.table.rejects[key] = Reject(key, Reason.BAD_LABEL, detail)
        self._leave(line, Reason.DUPLICATE_ROW, f"line {first} names {key} too")

    def _leave(self, line: int, reason: Reason, detail: str) -> None:
        self.table.surplus.append(Reject(f"{self.table.name}:{line}", reason, detail))

    def _below_root(self, file: str) -> str:
        """The path below the source's root, as sources.Entry names it."""
        parts = [
            part for part in file.strip().replace("\\", "/").split("/") if part not in ("", ".")
        ]
        if parts and self._folder and (parts[0] != self._folder or len(parts) == 1):
            parts.insert(0, self._folder)
        return _key("/".join(parts))

    def _labels(self, key: str, row: list[str]) -> Labels | Reject:
        if len(row) != self._width:
            told = f"it has {len(row)} cells, the header {self._width}"
            return Reject(key, Reason.BAD_LABEL, told)
        places = self._places
        try:
            labels = Labels(
                _whole("age", row[places.age]),
                _gender(row[places.gender]),
                _OTHERS if places.race is None else _race(row[places.race]),
            )
        except ValueError as error:
            return Reject(key, Reason.BAD_LABEL, str(error))
        detail = out_of_range(labels)
        return Reject(key, Reason.LABEL_OUT_OF_RANGE, detail) if detail else labels


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be read: {error.strerror}; give a CSV file of labels")


def _undecodable_line(path: Path) -> int:
    """The line of a file's first bytes that are not UTF-8; text is decoded in blocks of lines."""
    content = path.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1


def _delimiter(path: Path, columns: Columns) -> str:
    """What parts the header's cells: that which shows a column that is looked for."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header = next(lines, "")
    if not header.strip():
        raise UserError(f"{path}: line 1: is empty; give a header as {','.join(_plain(columns))}")

    def known(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        found = sum(_find(cells, name) is not None for name in _plain(columns))
        return found, len(cells)

    return max(_DELIMITERS, key=known)


def _plain(columns: Columns) -> tuple[str, str, str, str]:
    return columns.file, columns.age, columns.gender, columns.race


def _places(path: Path, header: list[str], columns: Columns) -> _Places:
    found = {name: _find(header, title) for name, title in columns.model_dump().items()}
    for name, title in columns.model_dump().items():
        optional = name == "race" and title == _DEFAULT_RACE
        if found[name] is None and not optional:
            there = ", ".join(" ".join(cell.split()) for cell in header)
            raise UserError(
                f"{path}: line 1: no column {title!r} among {there}; name it with "
                f"--set data.columns.{name}=NAME"
            )
        if sum(cell.strip().casefold() == title.casefold() for cell in header) > 1:
            raise UserError(f"{path}: line 1: two columns are called {title!r}; rename one")
    return _Places(**found)  # type: ignore[arg-type]


def _find(header: list[str], title: str) -> int | None:
    cells = [cell.strip().casefold() for cell in header]
    return cells.index(title.casefold()) if title.casefold() in cells else None


def _whole(what: str, cell: str) -> int:
    """A whole number, which programs may have written as 25.0."""
    try:
        number = float(cell)
        if number != int(number):
            raise ValueError
    except (ValueError, OverflowError):
        said = f"{cell.strip()!r} is no whole number" if cell.strip() else "is missing"
        raise ValueError(f"{what} {said}") from None
    return int(number)


def _gender(cell: str) -> int:
    word = cell.strip().casefold()
    if word in _GENDERS:
        return _GENDERS[word]
    try:
        return _whole("gender", cell)
    except ValueError:
        if not word:
            raise
        raise ValueError(f"gender {cell.strip()!r} is not 0, 1, male, female, m or f") from None


def _race(cell: str) -> int:
    """The index of a race; of a name that is not among ours, Others'."""
    word = cell.strip().casefold()
    try:
        return _whole("race", cell)
    except ValueError:
        return _RACES.get(word, _OTHERS)


def _key(file: str) -> str:
    """A path, however its accents are written: macOS and others do it differently."""
    return file if file.isascii() else unicodedata.normalize("NFC", file)
