"""The node on small artifacts, and its interface."""

import json
from pathlib import Path

import pytest
from tfx.types import artifact_utils, channel, standard_artifacts
from tfx.types.artifact import Artifact

import components
from components.artifacts import DataVerdict, Leaderboard, ModelCard, ModelFindings, Rejects
from components.face_example_gen import ledger
from components.model_card import component
from components.model_card.executor import Executor
from components.model_card.known import About, Known
from components.model_report import report
from components.selector.component import Judged
from serving.versions import content_digest
from tests.components.model_card.conftest import Make
from tests.serving.drills import write_model


def artifact(kind: type[Artifact], uri: Path) -> list[Artifact]:
    made = kind()
    made.uri = str(uri)
    uri.mkdir(parents=True, exist_ok=True)
    return [made]


@pytest.fixture
def inputs(make: Make, tmp_path: Path) -> dict[str, list[Artifact]]:
    """Of the winner, and of one whose files nobody should look for."""
    known: Known = make()
    found = {
        "leaderboard": artifact(Leaderboard, tmp_path / "leaderboard"),
        "model": artifact(standard_artifacts.Model, tmp_path / "model"),
        "pushed_model": artifact(standard_artifacts.PushedModel, tmp_path / "pushed_model"),
        "rejects": artifact(Rejects, tmp_path / "rejects"),
        "verdict": artifact(DataVerdict, tmp_path / "verdict"),
        "model_run_multitask": artifact(standard_artifacts.ModelRun, tmp_path / "run"),
        "report_multitask": artifact(ModelFindings, tmp_path / "report"),
        "model_run_specialists": artifact(standard_artifacts.ModelRun, tmp_path / "nothing"),
        "report_specialists": artifact(ModelFindings, tmp_path / "nothing"),
    }
    write_model(tmp_path / "model" / "Format-Serving", 1)
    (tmp_path / "leaderboard" / "leaderboard.json").write_text(json.dumps(known.board))
    (tmp_path / "run" / "figures.json").write_text(json.dumps(known.figures))
    (tmp_path / "run" / "calibration.json").write_text(json.dumps(known.calibration))
    (tmp_path / "verdict" / "verdict.json").write_text(known.verdict.to_json())
    (tmp_path / "rejects" / "ledger.json").write_text(
        ledger.contents(known.ledger, [])["ledger.json"]
    )
    report.write(tmp_path / "report", known.report.content)
    return found


def do(inputs: dict[str, list[Artifact]], folder: Path, about: About) -> tuple[Artifact, str]:
    outputs = {"card": artifact(ModelCard, folder / "card")}
    Executor().Do(inputs, outputs, {"about": about.model_dump_json(), "code_fingerprint": ""})
    made = artifact_utils.get_single_instance(outputs["card"])
    return made, Path(made.uri, "card.md").read_text()


ABOUT = About(source="faces.zip", command="agegender run")


def test_a_published_model_has_a_card_that_says_which_it_is(
    inputs: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    (pushed,) = inputs["pushed_model"]
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_version", "12")
    made, text = do(inputs, tmp_path, ABOUT)
    digest = content_digest(tmp_path / "model" / "Format-Serving")
    assert "**Published as version 12.**" in text
    assert digest in text
    assert "Source: faces.zip" in text
    assert made.get_string_custom_property("candidate") == "multitask"
    assert made.get_string_custom_property("content_digest") == digest
    assert made.get_int_custom_property("published") == 1
    assert made.get_int_custom_property("version") == 12
    html = Path(made.uri, "card.html").read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 7
    # No machine's folders are told to whoever gets the card.
    assert str(tmp_path) not in html + text
    assert "/home/someone" not in html + text


def test_one_that_was_not_has_its_card_too(
    inputs: dict[str, list[Artifact]], tmp_path: Path
) -> None:
    (pushed,) = inputs["pushed_model"]
    pushed.set_int_custom_property("pushed", 0)
    pushed.set_string_custom_property("reason", "No candidate passed.")
    made, text = do(inputs, tmp_path, ABOUT)
    assert "**Not published: No candidate passed.**" in text
    assert made.get_int_custom_property("published") == 0
    assert "version" not in made.mlmd_artifact.custom_properties


def test_all_candidates_are_fed_for_it_is_not_known_who_will_win() -> None:
    kinds = {
        "model": standard_artifacts.Model,
        "model_run": standard_artifacts.ModelRun,
        "evaluation": standard_artifacts.ModelEvaluation,
        "blessing": standard_artifacts.ModelBlessing,
        "report": ModelFindings,
    }
    judged = Judged(**{name: channel.Channel(type=kind) for name, kind in kinds.items()})
    node = component.ModelCard(
        candidates={"multitask": judged, "transfer_tiny": judged},
        leaderboard=channel.Channel(type=Leaderboard),
        model=channel.Channel(type=standard_artifacts.Model),
        pushed_model=channel.Channel(type=standard_artifacts.PushedModel),
        rejects=channel.Channel(type=Rejects),
        verdict=channel.Channel(type=DataVerdict),
        about=ABOUT,
    )
    assert node.id == "ModelCard"
    assert node.inputs.keys() >= {
        *("model_run_multitask", "report_multitask"),
        *("model_run_transfer_tiny", "report_transfer_tiny"),
    }
    # Kubeflow finds the type by this name, and knows of it nothing else.
    kind = node.outputs["card"].type
    assert kind is components.ModelCard
    assert (kind.TYPE_NAME, kind.PROPERTIES) == ("components.ModelCard", None)
    assert About.model_validate_json(node.exec_properties["about"]) == ABOUT
