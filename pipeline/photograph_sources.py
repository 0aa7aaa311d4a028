"""The photographs that arguments of the command name: files, folders, patterns, or `-`."""

import functools
import glob
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.errors import EXIT_USAGE, UserError
from serving.photographs import MAX_FILE_BYTES, PhotographError
from serving.predictions import Source

STANDARD_INPUT: Final = "-"

# What is taken from a folder; a file that is named itself is always tried.
_SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".heic", ".heif"),  # no picture is left out in silence
)


class Listing(NamedTuple):
    """What arguments name: photographs, in order; and arguments that name none, each with why."""

    sources: list[Source]
    errors: list[tuple[str, str]]


def list_sources(arguments: Sequence[str]) -> Listing:
    """The photographs, in the order of the arguments, within a folder by path; each once.

    Raises:
      UserError: `-`, standard input, stands beside other arguments.
    """
    if STANDARD_INPUT in arguments:
        if len(arguments) > 1:
            raise UserError("- (standard input) goes with no other argument", EXIT_USAGE)
        return Listing([Source(STANDARD_INPUT, _read_standard_input)], [])
    paths: dict[str, None] = {}
    errors = []
    for argument in arguments:
        found, error = _paths(argument)
        paths |= dict.fromkeys(found)
        errors += [(argument, error)] * bool(error)
    return Listing([Source(path, functools.partial(_read, path)) for path in paths], errors)


def _paths(argument: str) -> tuple[list[str], str]:
    if os.path.isdir(argument):
        found = sorted(_in_folder(argument), key=lambda path: Path(path).parts)
        return found, "" if found else "holds no pictures"
    if os.path.lexists(argument):
        return [argument], ""
    if glob.has_magic(argument):
        matched = sorted(glob.glob(argument, recursive=True))
        listed = [path for one in matched for path in _paths(one)[0]]
        return listed, "" if listed else "no picture matches"
    return [], "there is no such file or folder"


def _in_folder(folder: str) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = os.path.join(root, name)
            if name.lower().endswith(_SUFFIXES) and name[0] != "." and os.path.isfile(path):
                yield path


def _read(path: str) -> bytes:
    if not os.path.isfile(path):
        raise PhotographError("not a regular file")
    with open(path, "rb") as file:
        # Asked for more than there is, it would first make room for all of that.
        return file.read(min(MAX_FILE_BYTES + 1, os.fstat(file.fileno()).st_size))


def _read_standard_input() -> bytes:
    return sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
