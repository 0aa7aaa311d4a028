import ctypes
import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from tests.tools.tiny_elf import write_shared_object
from tools import repair_wheels

NEEDS = {
    "libc.so.6": {
        "GLIBC_2.2.5": ["strlen"],
        "GLIBC_2.38": ["__isoc23_strtol", "__isoc23_strtoull"],
    },
    "libstdc++.so.6": {
        "GLIBCXX_3.4": ["_ZNSt8ios_base4InitC1Ev"],
        "GLIBCXX_3.4.32": ["_ZSt21ios_base_library_initv"],
        "CXXABI_1.3.15": ["__cxa_call_terminate"],
    },
}


def old_machine(library: str) -> frozenset[str]:
    """What glibc 2.36 and GCC 12's libstdc++ define, as far as these tests ask."""
    return repair_wheels.machine_versions(library) - repair_wheels.NEWER_VERSIONS


def new_machine(library: str) -> frozenset[str]:
    return repair_wheels.machine_versions(library) | repair_wheels.NEWER_VERSIONS


@pytest.fixture
def wheel_file(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    return write_shared_object(tmp_path / "package" / "extension.so", NEEDS)


def test_a_repaired_file_loads_and_calls_the_old_equivalents(wheel_file: Path) -> None:
    if old_machine("libc.so.6") == repair_wheels.machine_versions("libc.so.6"):
        with pytest.raises(OSError, match=r"GLIBC_2\.38"):
            ctypes.CDLL(str(wheel_file))

    assert repair_wheels.condition(wheel_file, old_machine).startswith("needs repair (GLIBC_2.38")
    assert repair_wheels.repair(wheel_file, old_machine)

    assert repair_wheels.condition(wheel_file, old_machine) == "repaired"
    words = (ctypes.c_uint64 * 7).in_dll(ctypes.CDLL(str(wheel_file)), "answer")
    libc = ctypes.CDLL("libc.so.6")
    assert words[0] == 42
    assert words[2] == ctypes.cast(libc.strtol, ctypes.c_void_p).value
    assert words[3] == ctypes.cast(libc.strtoull, ctypes.c_void_p).value
    assert words[4] == words[5] != 0


def test_only_the_missing_versions_are_weakened(wheel_file: Path) -> None:
    def flags() -> dict[str, bool]:
        with open(wheel_file, "rb") as file:
            elf = repair_wheels._open_elf(file, wheel_file)
            return {need.version: need.weak for need in repair_wheels._needs(elf)}

    assert not any(flags().values())
    repair_wheels.repair(wheel_file, old_machine)
    assert {version for version, weak in flags().items() if weak} == repair_wheels.NEWER_VERSIONS
    assert set(flags()) == repair_wheels.NEWER_VERSIONS | {"GLIBC_2.2.5", "GLIBCXX_3.4"}


def test_the_installers_cache_keeps_the_published_file(wheel_file: Path, tmp_path: Path) -> None:
    cached = tmp_path / "cached.so"
    os.link(wheel_file, cached)
    published = cached.read_bytes()

    assert repair_wheels.repair(wheel_file, old_machine)

    assert cached.read_bytes() == published != wheel_file.read_bytes()
    assert os.listdir(wheel_file.parent) == ["extension.so"]


def test_a_second_repair_touches_nothing(wheel_file: Path) -> None:
    repair_wheels.repair(wheel_file, old_machine)
    before = wheel_file.stat()
    assert not repair_wheels.repair(wheel_file, old_machine)
    assert wheel_file.stat() == before


def test_nothing_is_touched_where_the_libraries_are_new(wheel_file: Path) -> None:
    before = wheel_file.stat()
    assert repair_wheels.condition(wheel_file, new_machine) == "needs no repair"
    assert not repair_wheels.repair(wheel_file, new_machine)
    assert wheel_file.stat() == before


@pytest.mark.parametrize(
    ("version", "symbol", "named"),
    [
        ("GLIBC_2.38", "__isoc23_sscanf", "__isoc23_sscanf"),
        ("GLIBC_2.99", "strlcpy", "GLIBC_2.99, strlcpy"),
    ],
)
def test_what_has_no_known_equivalent_is_refused(
    tmp_path: Path, version: str, symbol: str, named: str
) -> None:
    path = write_shared_object(tmp_path / "new.so", {"libc.so.6": {version: [symbol]}})
    published = path.read_bytes()
    with pytest.raises(repair_wheels.RepairError, match=rf"new\.so: needs {named}, which") as told:
        repair_wheels.repair(path, old_machine)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == published
    assert os.listdir(tmp_path) == ["new.so"]


@pytest.mark.parametrize("section", [".gnu.version", ".gnu.version_r"])
def test_a_missing_section_is_refused(tmp_path: Path, section: str) -> None:
    path = write_shared_object(tmp_path / "odd.so", NEEDS, drop_section=section)
    with pytest.raises(repair_wheels.RepairError, match=rf"odd\.so: .*{section}"):
        repair_wheels.repair(path, old_machine)


def with_byte(image: bytes, offset: int, value: int) -> bytes:
    return image[:offset] + bytes([value]) + image[offset + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _image: b"",
        lambda _image: b"#!/bin/sh\n" * 40,
        lambda image: image[:100],
        lambda image: image[: len(image) // 2],
        lambda image: with_byte(image, 4, 1),  # 32 bits
        lambda image: with_byte(image, 5, 2),  # big endian
        lambda image: with_byte(image, 18, 183),  # AArch64
    ],
    ids=["empty", "script", "header only", "half", "32-bit", "big-endian", "aarch64"],
)
def test_other_files_are_refused_in_one_line(wheel_file: Path, damage) -> None:  # type: ignore[no-untyped-def]
    image = damage(wheel_file.read_bytes())
    wheel_file.write_bytes(image)
    with pytest.raises(repair_wheels.RepairError, match=r"extension\.so: [^\n]+$"):
        repair_wheels.repair(wheel_file, old_machine)
    assert wheel_file.read_bytes() == image


def test_the_installed_wheels_hold_what_the_repair_expects(tmp_path: Path) -> None:
    installed = repair_wheels.shared_objects(Path(sysconfig.get_path("platlib")))
    assert len(installed) == 2
    for path in installed:
        copy = Path(shutil.copy2(path, tmp_path))
        repair_wheels.repair(copy, old_machine)
        assert repair_wheels.condition(copy, old_machine) == "repaired"


def test_the_command_says_how_the_installed_wheels_stand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert repair_wheels.main(["--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("/")[0] for line in lines] == list(repair_wheels.PACKAGES)
    assert {line.split(": ")[1] for line in lines} <= {"repaired", "needs no repair"}


def test_the_command_reports_and_repairs_another_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repair_wheels.main(["--site-packages", str(tmp_path)]) == 1
    assert "ml_metadata: no shared object there" in capsys.readouterr().err

    for package in repair_wheels.PACKAGES:
        (tmp_path / package).mkdir()
        write_shared_object(tmp_path / package / "a.so", {"libc.so.6": {"GLIBC_9.9": ["f"]}})
    assert repair_wheels.main(["--site-packages", str(tmp_path), "--check"]) == 1
    assert capsys.readouterr().out.count("needs repair (GLIBC_9.9)") == 2
    assert repair_wheels.main(["--site-packages", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
