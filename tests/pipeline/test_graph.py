import json
from pathlib import Path

from tfx.dsl.components.base.base_node import BaseNode

from pipeline import graph, node_code, settings, validation
from pipeline.bindings import Bindings
from tools import draw_graph

ROOT = Path(__file__).parents[2]
COMPARATORS = validation.comparators(ROOT / "schema" / "schema.pbtxt")
JUDGING = {
    "FaceExampleGen",
    "ImportSchemaGen",
    "StatisticsGen",
    "ExampleValidator",
    "Baseline",
    "SplitValidator",
    "DriftValidator",
    "DataReport",
    "DataGate",
}


def bindings(**changes: str) -> Bindings:
    fixed = {
        "pipeline_root": "/nowhere/artifacts",
        "data_uri": "/nowhere/faces",
        "data_fingerprint": "1",
        "schema_file": "/nowhere/schema.pbtxt",
        "baseline_uri": "",
        "model_dir": "/nowhere/serving",
        "serving_state": "none",
    }
    return Bindings(
        comparators=COMPARATORS, code=dict.fromkeys(node_code.CODE, "c"), **fixed | changes
    )


def ancestors(node: BaseNode) -> set[str]:
    return {node.id}.union(*(ancestors(one) for one in node.upstream_nodes))


def test_it_is_made_without_touching_the_world() -> None:
    # None of the paths exist: a graph that read or wrote anything would fail.
    made = graph.create_pipeline(settings.load("cpu", {}, []), bindings())
    assert {node.id for node in made.components} >= {"FaceExampleGen", "Publisher"}
    assert not Path("/nowhere").exists()


def test_every_candidate_is_trained_evaluated_and_judged() -> None:
    chosen = "candidates=[specialists, multitask, transfer_mobilenet_v2, ensemble]"
    loaded = settings.load("sample", {}, [chosen])
    nodes = {n.id: n for n in graph.create_pipeline(loaded, bindings()).components}
    assert {one.producer_component_id for one in nodes["Ensemble"].inputs.values()} == {
        *("Trainer_multitask_cnn", "Trainer_transfer_mobilenet_v2", "Transform"),
    }
    for candidate in loaded.candidates:
        for model in loaded.made_of(candidate):
            assert f"Trainer_{model}" in nodes
        judged = nodes["Selector"].inputs[f"model_{candidate}"]
        measured = nodes[f"Evaluator_{candidate}"].inputs["model"]
        assert judged.producer_component_id == measured.producer_component_id


def test_a_model_is_trained_once_and_specialists_are_joined() -> None:
    loaded = settings.load(
        "sample",
        {},
        [
            "candidates=[transfer_mobilenet_v2, specialists, multitask]",
            "models.age_cnn.epochs=3",
        ],
    )
    components = list(graph.create_pipeline(loaded, bindings()).components)
    nodes = {node.id: node for node in components}
    assert len(nodes) == len(components)
    trained = [name.removeprefix("Trainer_") for name in nodes if name.startswith("Trainer_")]
    needed = ["transfer_mobilenet_v2", "gender_cnn", "age_cnn", "multitask_cnn"]
    assert sorted(trained) == sorted(needed)
    parts = nodes["SpecialistPair"].inputs
    assert parts["gender_model_run"].producer_component_id == "Trainer_gender_cnn"
    assert parts["age_model_run"].producer_component_id == "Trainer_age_cnn"
    assert nodes["Selector"].inputs["model_specialists"].producer_component_id == "SpecialistPair"
    told = json.loads(nodes["Trainer_age_cnn"].exec_properties["custom_config"])
    assert told["hyperparameters"]["epochs"] == 3


def test_a_student_learns_from_the_ensemble_though_that_is_no_candidate() -> None:
    chosen = ["candidates=[student_mobilenet_v2]", "tuning.enabled=true"]
    loaded = settings.load("sample", {}, chosen)
    nodes = {n.id: n for n in graph.create_pipeline(loaded, bindings()).components}
    assert nodes["SoftLabels"].inputs["model_run"].producer_component_id == "Ensemble"
    student = nodes["Trainer_student_mobilenet_v2"].inputs
    assert student["examples"].producer_component_id == "SoftLabels"
    for member in loaded.ensemble.members:
        teacher = nodes[f"Trainer_{member}"].inputs
        assert teacher["examples"].producer_component_id == "Transform"
        assert f"Tuner_{member}" in nodes
    # It is told what a search found for the model it is like, once that is checked in.
    assert "Tuner_student_mobilenet_v2" not in nodes
    judged = {name for name in nodes if name.startswith("Evaluator_")}
    assert judged == {"Evaluator_champion", "Evaluator_student_mobilenet_v2"}


def test_every_model_is_reported_on_by_what_measured_it() -> None:
    nodes = {n.id: n for n in draw_graph.nodes()}
    for name in ("champion", *settings.load("sample", {}, []).candidates):
        report, measured = nodes[f"ModelReport_{name}"].inputs, nodes[f"Evaluator_{name}"]
        assert report["model"] == measured.inputs["model"]
        assert report["evaluation"].producer_component_id == measured.id
        # A served version brings no training with it.
        assert ("model_run" in report) == (name != "champion")


def test_a_search_feeds_its_trainer_and_sees_no_more_than_train_and_val() -> None:
    asked = ["tuning.enabled=true", "tuning.models=[age_cnn]"]
    plain, tuned = (
        {
            n.id: n
            for n in graph.create_pipeline(settings.load("sample", {}, a), bindings()).components
        }
        for a in ([], asked)
    )
    assert tuned.keys() - plain.keys() == {"Tuner_age_cnn"}
    fed = tuned["Trainer_age_cnn"].inputs.pop("hyperparameters")
    assert fed.producer_component_id == "Tuner_age_cnn"
    for name, node in plain.items():
        assert node.inputs.keys() == tuned[name].inputs.keys()
    told = tuned["Tuner_age_cnn"].exec_properties
    assert json.loads(told["train_args"])["splits"] == ["train"]
    assert json.loads(told["eval_args"])["splits"] == ["val"]


def test_no_model_is_published_unchecked() -> None:
    nodes = {n.id: n for n in draw_graph.nodes()}
    published = nodes["Publisher"].inputs
    assert published["infra_blessing"].producer_component_id == "ServableCheck"
    assert published["model_blessing"].producer_component_id == "Selector"
    assert "model" not in published  # only what was checked, out of the InfraBlessing


def test_the_card_is_told_of_every_candidate_and_of_what_became_of_the_winner() -> None:
    loaded = settings.load("sample", {}, ["candidates=[specialists, multitask]"])
    made = graph.create_pipeline(loaded, bindings(commit="abc"))
    nodes = {n.id: n for n in made.components}
    fed, judged = nodes["ModelCard"].inputs, nodes["Selector"].inputs
    for candidate in loaded.candidates:
        for kind in ("model_run", "report"):
            assert fed[f"{kind}_{candidate}"] == judged[f"{kind}_{candidate}"]
    assert fed["model"].producer_component_id == "Selector"
    assert fed["pushed_model"].producer_component_id == "Publisher"
    about = json.loads(nodes["ModelCard"].exec_properties["about"])
    assert about["commit"] == "abc"
    assert about["source"] == ""  # drawn faces, wherever they were drawn to
    assert "'candidates=[specialists, multitask]'" in about["command"]


def test_nothing_learns_from_data_before_the_gate_has_let_them_pass() -> None:
    behind = {node.id for node in draw_graph.nodes() if "DataGate" in ancestors(node)}
    assert behind | JUDGING == {node.id for node in draw_graph.nodes()}
    assert behind & JUDGING == {"DataGate"}


def test_data_that_are_judged_again_are_not_learned_from_again() -> None:
    # The gate's output would change with every judgement, and with it all cache keys after it.
    fed = {c.producer_component_id for n in draw_graph.nodes() for c in n.inputs.values()}
    assert "DataGate" not in fed


def test_a_thinned_train_split_is_not_blamed_for_its_ages() -> None:
    compared = {}
    for asked in ([], ["data.balance.max_per_age=50"]):
        loaded = settings.load("cpu", {}, asked)
        nodes = {n.id: n for n in graph.create_pipeline(loaded, bindings()).components}
        config = nodes["SplitValidator"].exec_properties["distribution_validator_config"]
        compared[bool(asked)] = {one.path.step[0] for one in config.default_slice_config.feature}
    assert {"age_group", "gender", "race"} <= compared[False]
    assert compared[True] == {"brightness", "sharpness"}


def test_the_same_candidates_make_the_same_graph_in_every_profile() -> None:
    shapes = {
        tuple(
            (node.id, tuple(sorted(node.inputs)))
            for node in graph.create_pipeline(
                settings.load(
                    name, {}, ["candidates=[specialists, multitask]", "tuning.enabled=false"]
                ),
                bindings(),
            ).components
        )
        for name in settings.profiles()
    }
    assert len(shapes) == 1


def test_the_picture_shows_every_node_and_edge() -> None:
    picture = (ROOT / "docs" / "graph.svg").read_text()
    for node in draw_graph.nodes():
        assert f"<title>{node.id}</title>" in picture
        for channel in node.inputs.values():
            edge = f"<title>{channel.producer_component_id}&#45;&gt;{node.id}</title>"
            assert edge in picture, "run python -m tools.draw_graph"


def test_labels_in_a_file_are_the_ingestions_alone_to_read() -> None:
    chosen = settings.load("sample", {"data.columns.age": "Years"}, [])
    made = graph.create_pipeline(chosen, bindings(labels_uri="/nowhere/labels.csv"))
    (examples,) = (node for node in made.components if node.id == "FaceExampleGen")
    assert examples.exec_properties["labels_uri"] == "/nowhere/labels.csv"
    assert json.loads(examples.exec_properties["label_columns"])["age"] == "Years"
    told = [node.id for node in made.components if "labels_uri" in node.exec_properties]
    assert told == ["FaceExampleGen"]
