"""The first run, recorded once more by the node that records runs on a cluster."""

from pathlib import Path
from typing import Any

from pipeline import settings
from tests.e2e import as_node, tracked
from tests.e2e.running import TINY


def test_a_node_records_a_run_as_the_runner_does(
    first: tuple[Path, str], faces: Path, tmp_path: Path
) -> None:
    workdir = first[0]
    told = {"data.uri": str(faces), "workdir": str(tmp_path), "serving.dir": f"{workdir}/serving"}
    chosen = settings.load("sample", told, ["=".join(item) for item in TINY.items()])
    said = as_node.recorded(workdir, chosen, tmp_path / "record")
    assert (said["exit_code"], said["undelivered"]) == (0, "")
    (by_node, *inside), (by_runner, *others) = tracked.tree(tmp_path), tracked.tree(workdir)
    tags = by_node.data.tags
    assert (tags["kubeflow.run_id"], tags["state"]) == ("run-1", "published")
    assert (tags["mlflow.source.git.commit"], tags["git.dirty"]) == ("0123456789ab", "true")
    for key in ("decision", "winner", "champion", "exit_code", "served_version"):
        assert tags[key] == by_runner.data.tags[key]
    # Only who sees nodes run knows how long they took, and what the machine did meanwhile.
    assert _measured(by_node) == _measured(by_runner)
    assert len(inside) == len(others)
    for run in others:
        name = run.info.run_name.partition(" · ")[0]
        again = tracked.named(inside, name)
        assert _measured(again) == _measured(run)
        for metric in _measured(run):
            steps = tracked.curve(workdir, run, metric)
            assert tracked.curve(tmp_path, again, metric) == steps
        assert _files(tracked.artifacts(again)) == _files(tracked.artifacts(run))
    assert _files(tracked.artifacts(by_node)) == _files(tracked.artifacts(by_runner))
    assert {"model-card/card.md", "data/report.html"} < _files(tracked.artifacts(by_node))


def _measured(run: Any) -> dict[str, float]:
    unknown = ("seconds/", "system/")
    return {k: v for k, v in run.data.metrics.items() if not k.startswith(unknown)}


def _files(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith("model/")}
