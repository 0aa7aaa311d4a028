import json
from pathlib import Path

import numpy as np
import pytest
from tfx.types import standard_artifacts

from components.soft_labels.executor import Executor
from tests import faces, transform_graph
from tests.components.ensemble.test_executor import write_member
from tests.components.specialist_pair.test_executor import artifact
from tests.trainer.test_run_fn import arguments
from trainer import dataset, runs, teachers, training
from trainer.hyperparameters import Hyperparameters

COUNTS = {"train": 70, "val": 32, "calib": 40}


@pytest.mark.parametrize("head", ["distribution", "regression"])
def test_a_student_learns_from_its_teachers_answers(head: str, tmp_path: Path) -> None:
    teacher = write_member(tmp_path / "teacher", "ensemble", 1, head)
    faces.write_transformed(tmp_path / "examples", COUNTS)
    examples = artifact(standard_artifacts.Examples, tmp_path / "examples")
    examples[0].split_names = json.dumps(list(COUNTS))  # type: ignore[attr-defined]
    taught = artifact(standard_artifacts.Examples, tmp_path / "taught")
    fed = artifact(standard_artifacts.ModelRun, tmp_path / "teacher")
    Executor().Do(
        {"examples": examples, "model_run": fed},
        {"taught_examples": taught},
        {"code_fingerprint": ""},
    )

    assert taught[0].split_names == examples[0].split_names  # type: ignore[attr-defined]
    plain, told = (sorted((tmp_path / name).rglob("*.gz")) for name in ("examples", "taught"))
    assert [one.parts[-2:] for one in plain] == [one.parts[-2:] for one in told]
    for one, other in zip(plain, told, strict=True):
        assert (one.read_bytes() == other.read_bytes()) == ("train" not in str(one))

    # As if the teacher had been asked by the training itself.
    hyper = Hyperparameters(teacher_share=0.7)
    files = [str(tmp_path / "taught" / "Split-train" / "*")]
    train = dataset.load(files, faces.SIZE)
    ours = list(teachers.taught_by_files(train, files, hyper).as_numpy_iterator())
    theirs = list(teachers.taught(train, [teacher.model], hyper).as_numpy_iterator())
    assert len(ours) == len(theirs) == COUNTS["train"]
    for (pixels, labels), (same_pixels, same_labels) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(pixels, same_pixels)
        for name in ("age", "gender"):
            np.testing.assert_allclose(labels[name], same_labels[name], rtol=1e-5, atol=1e-6)

    transform_graph.write(tmp_path / "graph", faces.SIZE)
    shape = {"widths": [8, 16], "age_head": head}
    given = arguments(
        tmp_path / "a", tmp_path / "graph", "student_multitask_cnn", architecture=shape, epochs=1
    )
    given.train_files, given.eval_files = (
        [str(tmp_path / "taught" / f"Split-{split}" / "*") for split in splits]
        for splits in (("train",), ("val", "calib"))
    )
    training.run_fn(given)  # type: ignore[arg-type]
    figures = runs.read(Path(given.model_run_dir)).figures
    assert (figures["model"], figures["family"]) == ("student_multitask_cnn", "multitask_cnn")
