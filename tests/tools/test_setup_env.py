import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tools import setup_env

ROOT = Path(__file__).parents[2]

# Real output of pip and uv.
NO_NETWORK_PIP = """\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object \
at 0x7f9bc376ce50>: Failed to establish a new connection: [Errno -3] Temporary failure in name \
resolution')': /simple/setuptools/
ERROR: Could not find a version that satisfies the requirement setuptools==84.2.1 (from versions: \
none)
ERROR: No matching distribution found for setuptools==84.2.1
"""
NO_NETWORK_UV = """\
error: Request failed after 3 retries
  cause: error sending request for url (https://index.test/simple/zstandard/)
  cause: client error (Connect)
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
WRONG_HASH_PIP = """\
ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the \
package versions, please update the hashes.
        Expected sha256 0000000007155e45db462d7ef2431f5ddda0d7273b700d05a67b271ceb1287ab
"""
WRONG_HASH_UV = """\
error: Failed to download `six==1.17.0`
  cause: Hash mismatch for `six==1.17.0`
"""
DISK_FULL_UV = """\
error: Failed to install: tzdata-2026.6-py2.py3-none-any.whl (tzdata==2026.6)
  cause: failed to copy file from a to b: No space left on device (os error 28)
"""


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (NO_NETWORK_PIP, "cannot be reached"),
        (NO_NETWORK_UV, "cannot be reached"),
        (WRONG_HASH_PIP, "does not have the hash"),
        (WRONG_HASH_UV, "does not have the hash"),
        (DISK_FULL_UV, "disk is full"),
        ("Traceback ...\nImportError: libfoo.so: undefined symbol: bar\n\n", "undefined symbol"),
        ("", "no message"),
    ],
)
def test_the_cause_of_a_failed_step_is_one_line(output: str, cause: str) -> None:
    said = setup_env.cause_of(output)
    assert cause in said
    assert "\n" not in said


def test_the_installer_is_pinned_by_the_lock_itself() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    blocks = setup_env.lock_blocks(lock, setup_env.BOOTSTRAP)
    pins = [line.split("==")[0] for line in blocks.splitlines() if "==" in line]
    assert sorted(pins) == sorted(setup_env.BOOTSTRAP)
    assert all(line in lock for line in blocks.splitlines())
    assert blocks.count("--hash=sha256:") >= len(pins)
    with pytest.raises(setup_env.SetupError, match="make lock"):
        setup_env.lock_blocks(lock, ("no-such-package",))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files a set-up reads, and a .venv that a finished set-up left behind."""
    root = tmp_path / "checkout"
    for name in ("requirements.lock", "requirements-gpu.lock", "pyproject.toml", "tools"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        root.mkdir(exist_ok=True)
        copy(ROOT / name, root / name)
    (root / ".venv/bin").mkdir(parents=True)
    (root / ".venv/bin/agegender").touch()
    finish(root, "cpu")
    return root


def finish(root: Path, extra: str) -> None:
    stamp = {**setup_env.fingerprint(root, extra), "finished": True}
    setup_env._write_stamp(root / ".venv", stamp)


def install_calls(root: Path, extra: str | None, monkeypatch: pytest.MonkeyPatch) -> int:
    calls: list[Path] = []
    monkeypatch.setattr(setup_env, "_install", lambda root, *_: calls.append(root))
    setup_env.set_up(root, extra)
    return len(calls)


def test_nothing_runs_when_nothing_changed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install_calls(checkout, None, monkeypatch) == 0
    assert install_calls(checkout, "cpu", monkeypatch) == 0
    text = (checkout / "pyproject.toml").read_text()
    (checkout / "pyproject.toml").write_text(text.replace("line-length = 100", "line-length = 99"))
    assert install_calls(checkout, None, monkeypatch) == 0


def test_the_choice_of_the_gpu_build_stays(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install_calls(checkout, "gpu", monkeypatch) == 1
    finish(checkout, "gpu")
    assert install_calls(checkout, None, monkeypatch) == 0
    assert install_calls(checkout, "cpu", monkeypatch) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "requirements.lock").write_text("another==1 --hash=sha256:0\n"),
        lambda root: (root / "tools/repair_wheels.py").write_text("# another\n"),
        lambda root: (root / "pyproject.toml").write_text(
            (root / "pyproject.toml").read_text().replace('"rich>=14"', '"rich>=13"')
        ),
        lambda root: (root / ".venv/setup.json").unlink(),
        lambda root: (root / ".venv/setup.json").write_text("{"),
        lambda root: (root / ".venv/bin/agegender").unlink(),
        lambda root: setup_env._write_stamp(
            root / ".venv", {**setup_env.fingerprint(root, "cpu"), "finished": False}
        ),
    ],
    ids=["lock", "tool", "dependency", "no stamp", "half a stamp", "no command", "unfinished"],
)
def test_a_change_or_a_broken_off_set_up_runs_it_again(
    checkout: Path,
    change,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change(checkout)
    assert install_calls(checkout, None, monkeypatch) == 1


def test_a_moved_checkout_is_set_up_again(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = checkout.rename(checkout.with_name("moved"))
    assert install_calls(moved, None, monkeypatch) == 1


def recorded_steps(root: Path, monkeypatch: pytest.MonkeyPatch, fail_at: str = "") -> list[str]:
    """The labels of the steps `_install` runs; the step `fail_at` fails."""
    labels: list[str] = []

    def run(_self: setup_env.Steps, label: str, *_command: str) -> None:
        labels.append(label.split()[0])
        if label.startswith(fail_at or "-"):
            raise setup_env.SetupError(f"{label}: broken")
        if label == "venv":
            (root / ".venv/bin").mkdir()
            (root / ".venv/bin/python").symlink_to(sys.executable)
        if label == "the project itself":
            (root / ".venv/bin/agegender").touch()

    monkeypatch.setattr(setup_env.Steps, "run", run)
    monkeypatch.setattr(setup_env, "_index_of_pip", lambda *_: {})
    try:
        setup_env.set_up(root, None)
    except setup_env.SetupError:
        assert fail_at
    return labels


ALL_STEPS = ["venv", "pip", "installer", "packages", "the", "wheel", "import"]


def test_a_set_up_that_broke_off_starts_from_an_empty_venv(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = checkout / ".venv"
    (venv / "setup.json").unlink()
    assert recorded_steps(checkout, monkeypatch, fail_at="packages") == ALL_STEPS[:4]
    half_copied = venv / "lib/half-copied"
    half_copied.mkdir(parents=True)
    assert recorded_steps(checkout, monkeypatch) == ALL_STEPS
    assert not half_copied.exists()
    assert recorded_steps(checkout, monkeypatch) == []


def test_a_changed_lock_updates_the_venv_in_place(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / ".venv/bin/python").symlink_to(sys.executable)
    with open(checkout / "requirements.lock", "a") as lock:
        lock.write("another==1 --hash=sha256:0\n")
    assert recorded_steps(checkout, monkeypatch) == ALL_STEPS[2:]


def steps_of(root: Path, environment: dict[str, str] | None = None) -> setup_env.Steps:
    lock_fd = os.open(root / ".venv/setup.lock", os.O_CREAT | os.O_RDWR)
    return setup_env.Steps(root, root / ".venv/setup.log", environment or {}, lock_fd)


def test_a_failed_step_names_the_cause_and_the_log(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = steps_of(checkout)
    steps.run("first", "/bin/sh", "-c", "echo Connection refused")  # another step's noise
    with pytest.raises(setup_env.SetupError, match=r"^second: no such thing \(details: .*log\)$"):
        steps.run("second", "/bin/sh", "-c", "echo working; echo no such thing >&2; exit 3")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("s  ")[1] for line in lines] == ["first", "second: failed"]
    assert "no such thing" in (checkout / ".venv/setup.log").read_text()


def test_a_second_set_up_waits_for_the_first_and_finds_it_done(checkout: Path) -> None:
    (checkout / ".venv/setup.json").unlink()
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, checkout], cwd=ROOT)
    wait_for(checkout / "held")
    holder.kill()  # its child goes on, as uv does when a set-up is killed
    holder.wait()
    second = [sys.executable, checkout / "tools/setup_env.py"]
    waiting = subprocess.Popen(second, stdout=subprocess.PIPE, text=True)
    assert waiting.stdout
    assert "waiting for it" in waiting.stdout.readline()
    finish(checkout, "cpu")
    (checkout / "go").touch()
    assert waiting.communicate(timeout=60)[0] == ""
    assert waiting.returncode == 0


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


HOLDER = """
import sys
from pathlib import Path
from tools import setup_env
root = Path(sys.argv[1])
with setup_env._alone(root / ".venv") as lock:
    steps = setup_env.Steps(root, root / "log", {}, lock)
    steps.run("child", "/bin/sh", "-c", ": > held; while [ ! -e go ]; do sleep 0.1; done")
"""


@pytest.mark.parametrize(
    ("system", "machine", "libc", "said"),
    [
        ("Darwin", "arm64", ("", ""), "Darwin arm64"),
        ("Linux", "aarch64", ("glibc", "2.39"), "Linux aarch64"),
        ("Linux", "x86_64", ("", ""), "no glibc"),
        ("Linux", "x86_64", ("glibc", "2.31"), "needs glibc 2.34 or newer"),
        ("Linux", "x86_64", ("glibc", "2.34"), ""),
        ("Linux", "x86_64", ("glibc", "2.41.1"), ""),
    ],
)
def test_unsupported_machines_are_told_so(
    system: str,
    machine: str,
    libc: tuple[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(setup_env.platform, "system", lambda: system)
    monkeypatch.setattr(setup_env.platform, "machine", lambda: machine)
    monkeypatch.setattr(setup_env.platform, "libc_ver", lambda: libc)
    monkeypatch.setattr(setup_env, "set_up", lambda *_: None)
    assert setup_env.main([]) == int(bool(said))
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == int(bool(said))


def test_pips_mirror_and_certificates_serve_uv_too() -> None:
    listing = (
        "echo \"global.cert='/etc/ca.pem'\"; echo \":env:.index-url='https://mirror.test'\"; #"
    )
    pip = ("/bin/sh", "-c", listing)
    assert setup_env._index_of_pip(pip, {}) == {
        "UV_DEFAULT_INDEX": "https://mirror.test",
        "SSL_CERT_FILE": "/etc/ca.pem",
    }
    own = {"UV_INDEX_URL": "https://own.test", "SSL_CERT_FILE": "/own.pem"}
    assert setup_env._index_of_pip(pip, own) == {}


def python_stub(folder: Path, name: str, version: tuple[int, int] | None, ensurepip: bool) -> None:
    """A `python3.x` that answers the version question; None: a stub that only prints an error."""
    script = "#!/bin/sh\necho 'no such version' >&2\nexit 127\n"
    if version:
        script = textwrap.dedent(f"""\
            #!{sys.executable} -S
            import sys
            sys.version_info = ({version[0]}, {version[1]}, 0, "final", 0)
            if not {ensurepip}:
                sys.modules["ensurepip"] = None
            if sys.argv[-1].startswith("tools/") or "tools/setup_env.py" in sys.argv:
                print("handed over to {name}", *sys.argv[4:])
            else:
                exec(sys.argv[sys.argv.index("-c") + 1])
            """)
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def run_setup_sh(root: Path, stubs: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{stubs}:/usr/bin-without-python", **variables}
    for tool in ("sh", "dirname"):
        if not (stubs / tool).exists():
            (stubs / tool).symlink_to(str(shutil.which(tool)))
    return subprocess.run(
        [stubs / "sh", root / "tools/setup.sh"], env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("stubs", "chosen"),
    [
        ({"python3.11": (None, True), "python3.12": ((3, 12), True)}, "python3.12"),
        ({"python3": ((3, 11), True)}, "python3"),
        ({"python3": ((3, 13), True), "python3.12": ((3, 12), True)}, "python3.12"),
        ({"python3.11": ((3, 11), False), "python3.12": ((3, 12), True)}, "python3.12"),
        ({"python3.11": ((3, 11), False)}, "python3.11"),
    ],
    ids=["a stub is skipped", "plain name", "too new", "without venv", "only one without venv"],
)
def test_a_python_that_really_runs_is_found(
    checkout: Path,
    tmp_path: Path,
    stubs: dict[str, tuple[tuple[int, int] | None, bool]],
    chosen: str,
) -> None:
    for name, (version, ensurepip) in stubs.items():
        python_stub(tmp_path, name, version, ensurepip)
    done = run_setup_sh(checkout, tmp_path)
    assert done.stdout == f"handed over to {chosen}\n", done.stderr


def test_the_venv_keeps_its_python_unless_another_is_named(checkout: Path, tmp_path: Path) -> None:
    python_stub(tmp_path, "python3.11", (3, 11), True)
    python_stub(checkout / ".venv/bin", "python", (3, 12), True)
    assert run_setup_sh(checkout, tmp_path).stdout == "handed over to python\n"
    named = run_setup_sh(checkout, tmp_path, PYTHON="python3.11")
    assert named.stdout == "handed over to python3.11\n"


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("python3.10", "but python3.10 is 3.10;"),
        ("no-such-python", "but no-such-python is not there or does not run;"),
        ("", "but python3 is 3.13;"),
    ],
)
def test_a_wrong_python_ends_in_one_line(
    checkout: Path, tmp_path: Path, python: str, said: str
) -> None:
    python_stub(tmp_path, "python3.10", (3, 10), True)
    python_stub(tmp_path, "python3", (3, 13), True)
    done = run_setup_sh(checkout, tmp_path, PYTHON=python)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_python_without_venv_says_what_to_install(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    (checkout / ".venv/setup.json").unlink()
    with pytest.raises(setup_env.SetupError, match="apt install python3-venv"):
        setup_env.set_up(checkout, None)
    assert (checkout / ".venv/bin/agegender").exists()  # nothing was cleared for it
