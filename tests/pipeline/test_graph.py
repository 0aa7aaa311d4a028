from pathlib import Path

from pipeline import graph, settings
from tools import draw_graph

ROOT = Path(__file__).parents[2]


def bindings(**changes: str) -> graph.Bindings:
    fixed = {
        "pipeline_root": "/nowhere/artifacts",
        "data_uri": "/nowhere/faces",
        "data_fingerprint": "1",
        "schema_file": "/nowhere/schema.pbtxt",
        "model_dir": "/nowhere/serving",
        "serving_state": "none",
    }
    return graph.Bindings(code=dict.fromkeys(graph.CODE, "c"), **fixed | changes)


def test_it_is_made_without_touching_the_world() -> None:
    # None of the paths exist: a graph that read or wrote anything would fail.
    made = graph.create_pipeline(settings.load("cpu", {}, []), bindings())
    assert {node.id for node in made.components} >= {"FaceExampleGen", "Publisher"}
    assert not Path("/nowhere").exists()


def test_every_candidate_is_trained_evaluated_and_judged() -> None:
    loaded = settings.load("sample", {}, [])
    nodes = {n.id: n for n in graph.create_pipeline(loaded, bindings()).components}
    for candidate in loaded.candidates:
        family = settings.FAMILY_OF[candidate]
        assert f"Trainer_{family}" in nodes
        assert f"Evaluator_{candidate}" in nodes
        assert f"model_{candidate}" in nodes["Selector"].inputs


def test_no_model_is_published_unchecked() -> None:
    nodes = {n.id: n for n in draw_graph.nodes()}
    published = nodes["Publisher"].inputs
    assert published["infra_blessing"].producer_component_id == "ServableCheck"
    assert published["model_blessing"].producer_component_id == "Selector"
    assert "model" not in published  # only what was checked, out of the InfraBlessing


def test_every_profile_makes_the_same_graph() -> None:
    shapes = {
        tuple(
            (node.id, tuple(sorted(node.inputs)))
            for node in graph.create_pipeline(settings.load(name, {}, []), bindings()).components
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
