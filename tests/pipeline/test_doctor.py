import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline import doctor

CPU_ONLY = {"devices": ["CPU:0"], "cuda": True, "unloadable": {}}
GPU = "NVIDIA H100 80GB HBM3, 81559 MiB"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    monkeypatch.setattr(doctor, "_probe", lambda _: CPU_ONLY)
    return tmp_path


def diagnose(width: int = 100) -> tuple[int, str]:
    screen = io.StringIO()
    code = doctor.run_doctor(Console(file=screen, width=width))
    return code, screen.getvalue()


def add_nvidia_smi(folder: Path, lines: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{lines}'\n")
    program.chmod(0o755)


def set_version(package: str, version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: version if name == package else real(name))


def test_this_machine_is_well_and_tensorflow_is_really_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "MIN_DISK_GIB", 0)
    monkeypatch.setattr(doctor, "MIN_MEMORY_GIB", 0)
    code, text = diagnose()
    assert code == 0, text
    for word in ("Python", "glibc", "bfloat16", "2.21", "1.21", "CPU:0", "tfdv: ", "GiB free"):
        assert word in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_ends_well(programs: Path, width: int) -> None:
    del programs
    code, text = diagnose(width)
    assert code == 0
    assert max(map(len, text.splitlines())) <= width
    assert text.splitlines()[-1] == "all good"


def test_a_gpu_that_tensorflow_does_not_use_is_reported_with_the_remedy(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_nvidia_smi(programs, f"{GPU}, 570.86.15\\n")
    set_version(doctor.CUDA_PACKAGE, None, monkeypatch)
    code, text = diagnose()
    assert code == 0  # it works, only slowly
    assert f"{GPU}, driver 570.86.15" in text
    assert "does not use the GPU" in text
    assert text.splitlines()[-1].endswith("run `make setup EXTRA=gpu`")

    set_version(doctor.CUDA_PACKAGE, "9.0", monkeypatch)
    assert "CUDA_VISIBLE_DEVICES" in diagnose()[1].splitlines()[-1]

    with_gpu = {**CPU_ONLY, "devices": ["CPU:0", "GPU:0"]}
    monkeypatch.setattr(doctor, "_probe", lambda _: with_gpu)
    assert diagnose()[1].splitlines()[-1] == "all good"


def test_a_driver_without_a_gpu_is_a_note(programs: Path) -> None:
    add_nvidia_smi(programs, "")
    code, text = diagnose()
    assert code == 0
    assert "nvidia-smi is there but lists no GPU" in text


@pytest.mark.parametrize(
    ("package", "version", "said"),
    [
        ("keras", "3.0.0", "keras 3.0.0, but keras>=3.12 is needed"),
        ("ml-metadata", None, "ml-metadata is missing"),
        ("pydantic", "1.10", "pydantic 1.10, but pydantic>=2.11 is needed"),
    ],
)
def test_a_wrong_or_missing_package_is_broken(
    programs: Path,
    package: str,
    version: str | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del programs
    set_version(package, version, monkeypatch)
    code, text = diagnose()
    assert code == 1
    assert said in text.splitlines()[-1]
    assert doctor.REINSTALL in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ({"error": "ImportError: [lib] foo.so"}, "imported (ImportError: [lib] foo"),
        (
            {**CPU_ONLY, "unloadable": {"/x/ext.so": "version `GLIBC_2.38' not found"}},
            "ext.so does not load (version `GLIBC_2.38' not found)",
        ),
    ],
)
def test_what_does_not_load_is_broken(
    programs: Path, probe: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del programs
    monkeypatch.setattr(doctor, "_probe", lambda _: probe)
    code, text = diagnose()
    assert code == 1
    assert said in text


def test_keras_2_is_refused(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del programs
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    code, text = diagnose()
    assert code == 1
    assert text.splitlines()[-1].endswith("unset TF_USE_LEGACY_KERAS")


def test_a_crash_of_the_probe_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PROBE", "import no_such_module")
    assert doctor._probe([]) == {"error": "ModuleNotFoundError: No module named 'no_such_module'"}


def test_little_disk_is_a_note(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del programs
    monkeypatch.setattr(doctor, "MIN_DISK_GIB", 1e9)
    code, text = diagnose()
    assert code == 0
    assert "GiB of disk are free here" in text.splitlines()[-1]
