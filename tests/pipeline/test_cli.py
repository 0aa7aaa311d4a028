import os
import subprocess
import sys
from pathlib import Path

import pytest


def agegender(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
    )


def test_no_help_imports_anything_heavy() -> None:
    code = (
        "import sys, typer\n"
        "from pipeline.cli import app\n"
        "def walk(command, path):\n"
        "    yield path\n"
        "    for name, inside in getattr(command, 'commands', {}).items():\n"
        "        yield from walk(inside, [*path, name])\n"
        "for path in walk(typer.main.get_command(app), []):\n"
        "    try: app([*path, '--help'], prog_name='agegender')\n"
        "    except SystemExit as end: assert end.code == 0, path\n"
        "heavy = {'tensorflow', 'tfx', 'apache_beam', 'numpy', 'pandas', 'keras', 'mlflow'}\n"
        "print('HEAVY', sorted(heavy & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    usages = {" ".join(line.split()) for line in done.stdout.splitlines() if "Usage:" in line}
    for command in ("run", "doctor", "tuning", "explain", "rollback", "card", "mlflow"):
        assert f"Usage: agegender {command} [OPTIONS]" in "\n".join(usages)
    for command in ("runs", "runs show", "data", "data inspect"):
        assert f"Usage: agegender {command} [OPTIONS]" in "\n".join(usages)
    assert "HEAVY []" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--set", "training.epoch=3"], 2, "did you mean training.epochs?"),
        (["run", "--profile", "tpu"], 2, "unknown profile 'tpu'"),
        (["run", "--limit", "0"], 2, "--limit"),
        (["run", "--data", "nowhere.tar.gz"], 1, "nowhere.tar.gz"),
        (["data", "inspect", "nowhere"], 1, "nowhere"),
        (["run", "--accept-data"], 2, "--reason"),
        (["run", "--reason", "why not"], 2, "--accept-data"),
        (["tuning"], 1, "nothing was tuned here"),
        (["card"], 1, "no run has written a model card here"),
        (["card", "3"], 1, "no run has written a model card here"),
        (["card", "--markdown", "--html", "card.html"], 2, "do not go together"),
        (["data", "report"], 1, "no run has judged data"),
        (["explain"], 1, "nothing is on record"),
        (["rollback"], 2, "--reason"),
        (["rollback", "--reason", "why not"], 1, "nothing is on record"),
        (["bake"], 2, "bake"),
    ],
)
def test_a_mistake_ends_in_one_line_and_its_code(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = agegender(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_run_in_a_folder_in_use_says_so(tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = agegender("run", "--workdir", str(tmp_path))
    assert done.returncode == 1
    assert "another run is using" in done.stderr


def test_sample_draws_faces_and_a_sheet(tmp_path: Path) -> None:
    done = agegender("data", "sample", "faces", "--count", "12", "--sheet", "s.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "faces").glob("*.jpg"))) == 12
    assert (tmp_path / "s.png").stat().st_size > 10_000
