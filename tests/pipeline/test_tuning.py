import json
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from pipeline import settings, tuning
from pipeline.errors import UserError
from pipeline.record import Artifact, NodeRun
from trainer import search_space, trials
from trainer.hyperparameters import Hyperparameters

MODEL = "multitask_cnn"
SEARCH = trials.Search(
    model=MODEL,
    algorithm="bayesian",
    space={"learning_rate": search_space.Range(min=1e-4, max=1e-2), "widths": (0.5, 1.0)},
    hyperparameters=Hyperparameters().model_dump(mode="json"),
    epochs=5,
    train_share=1.0,
    max_trials=3,
    max_minutes=30,
    ended="tuning.max_trials=3 was reached",
)


def trial(number: int, score: float | None, rate: float = 0.002) -> trials.Trial:
    return trials.Trial(
        number=number,
        status="completed" if score else "failed",
        hyperparameters={"learning_rate": rate, "widths": 1.0 if number == 1 else 0.5},
        score=score,
        age_mae=score and 5.0,
        gender_accuracy=score and 0.9,
        epochs=5,
        seconds=60,
        curves={"loss": [2.0, None]},
        reason="" if score else "out of memory: [GPU]",
    )


TRIALS = [trial(1, 2.0), trial(2, None), trial(3, 1.5, 0.0047)]


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    folder = tmp_path / tuning.FOLDER / "0123" / MODEL
    trials.write(folder / trials.SEARCH_FILE, SEARCH.model_dump_json())
    for one in TRIALS:
        record = folder / f"trial_{one.number - 1}" / trials.RECORD_FILE
        trials.write(record, one.model_dump_json())
    trials.spend(folder, 180)
    return tmp_path


def said(workdir: Path, as_json: bool = False, as_settings: bool = False) -> str:
    console = Console(width=120, no_color=True)
    with console.capture() as captured:
        tuning.run_tuning(workdir, as_json, as_settings, console)
    return captured.get()


def test_the_trials_are_listed_best_first_with_failures(workdir: Path) -> None:
    lines = said(workdir).splitlines()
    assert lines[0].startswith("multitask_cnn: bayesian, 3 of 3 trials, 3.0 of 30 min; ")
    rows = [line.split() for line in lines if line.split()[:1] in (["1"], ["3"])]
    assert [row[0] for row in rows] == ["3", "1"]
    assert "learning_rate 0.0047, widths 0.5" in " ".join(rows[0])
    assert "what is checked in" in " ".join(rows[1])
    assert "  trial 2 failed: out of memory: [GPU]" in lines
    assert any("learning_rate 0.0001 to 0.01 (log); widths 0.5, 1" in line for line in lines)


def test_the_rows_are_complete_as_json(workdir: Path) -> None:
    rows = [json.loads(line) for line in said(workdir, as_json=True).splitlines()]
    assert [row.pop("model") for row in rows] == [MODEL] * 3
    assert [trials.Trial(**row) for row in rows] == TRIALS


def test_the_best_as_settings_is_what_its_trial_was(workdir: Path) -> None:
    told = yaml.safe_load(said(workdir, as_settings=True))
    (found,) = tuning.last_searches(workdir)
    best = found.trials[2]
    base = Hyperparameters.model_validate(found.search.hyperparameters)
    base_settings = [f"training={base.model_dump_json()}", "models={}"]
    loaded = settings.load("sample", {}, [*base_settings, f"models={json.dumps(told['models'])}"])
    assert loaded.hyperparameters(MODEL) == search_space.applied(base, best.hyperparameters)


def test_a_run_ends_with_what_won_and_what_failed(workdir: Path) -> None:
    folder = workdir / "results"
    trials.write(folder / trials.SEARCH_FILE, SEARCH.model_dump_json())
    trials.write(folder / trials.TRIALS_FILE, trials.as_lines(TRIALS))
    outputs = {"tuner_results": Artifact(1, str(folder), {})}
    node = NodeRun(1, "COMPLETE", 0.0, outputs, {}, {}, "")
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        tuning.show_result(console, {f"Tuner_{MODEL}": node})
    assert captured.get().splitlines() == [
        "Tuning multitask_cnn: trial 3 of 3 is best, val score 1.500 (age MAE 5.00, gender 90.0%)",
        "  what is checked in: val score 2.000 (age MAE 5.00, gender 90.0%)",
        "  ended: tuning.max_trials=3 was reached",
        "  trial 2 failed: out of memory: [GPU]",
    ]


def test_a_folder_without_a_search_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tuning\.enabled=true"):
        said(tmp_path)
