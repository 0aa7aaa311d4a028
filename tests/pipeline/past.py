"""Pipeline runs put into an MLMD store by hand, as TFX does, with the folders they left."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.face_example_gen.ledger import Cell, Ledger, contents
from components.face_example_gen.rejects import Reason, Reject
from pipeline import record, walk
from serving import versions
from tests.serving.drills import write_model
from trainer import trials
from trainer.hyperparameters import Hyperparameters

FIGURES = {"age_mae": 5.09, "gender_accuracy": 0.928}
CALIBRATION = {
    "age": {
        "method": "conformalised quantiles", "coverage": 0.9, "low_share": 0.1, "bounds": [20.0],
        "corrections": [1.5, -0.25], "faces": [500, 983],
    },
    "gender": {
        "temperature": 1.31, "faces": 1483, "log_loss_before": 0.2, "log_loss_after": 0.19,
        "ece_before": 0.03, "ece_after": 0.02,
    },
}  # fmt: skip

Made = dict[str, int]  # an artifact's id by its key


class Past:
    """A work folder with an MLMD store, to which runs are added one after the other."""

    def __init__(self, workdir: Path) -> None:
        self.workdir, self.model_dir = workdir, workdir / "serving" / "agegender"
        workdir.mkdir(parents=True, exist_ok=True)
        self.store = record.open_store(workdir / "metadata.db")
        self.made: dict[str, Made] = {}  # the newest of each node
        self.types: dict[tuple[str, str], int] = {}
        self.weights = self.folders = 0

    def step(
        self,
        node: str,
        run: str,
        inputs: Mapping[str, int],
        outputs: Mapping[str, Mapping[str, Any]],
        parameters: Mapping[str, Any],
    ) -> Made:
        """An execution that did its work; outputs are given by their properties."""
        made = []
        for key, properties in outputs.items():
            kind = self._type("artifact", "PushedModel" if key == "pushed_model" else key)
            self.folders += 1
            folder = self.workdir / "artifacts" / node / key / str(self.folders)
            folder.mkdir(parents=True)
            artifact = mlmd.Artifact(type_id=kind, uri=str(folder))
            _set(artifact.custom_properties, properties)
            made.append((artifact, _event(key, mlmd.Event.OUTPUT)))
        ids = self._execute(node, run, mlmd.Execution.COMPLETE, parameters, inputs, made)
        self.made[node] = dict(zip(outputs, ids, strict=True))
        return self.made[node]

    def reuse(self, node: str, run: str) -> None:
        """An execution that found its results in the cache."""
        made = self.made[node]
        found = self.store.get_artifacts_by_id(list(made.values()))
        events = [_event(key, mlmd.Event.OUTPUT) for key in made]
        cached = list(zip(found, events, strict=True))
        self._execute(node, run, mlmd.Execution.CACHED, {}, {}, cached)

    def folder(self, node: str, key: str) -> Path:
        """Of the newest artifact of a node."""
        (artifact,) = self.store.get_artifacts_by_id([self.made[node][key]])
        return Path(artifact.uri)

    def ingest(self, run: str, source: str) -> None:
        """Data, and a gate that lets them pass."""
        properties = {"total": 10, "used": 7, "rejected": 3}
        told = {"data_uri": source, "data_fingerprint": f"of {source}", "limit": 0}
        self.step("FaceExampleGen", run, {}, {"examples": {}, "rejects": properties}, told)
        used = {Cell("train", 30, 0, 0): 4, Cell("val", 30, 1, 0): 1, Cell("test", 9, 1, 2): 2}
        ledger = Ledger(rejected={Reason.DUPLICATE: 2, Reason.BAD_NAME: 1})  # type: ignore[arg-type]
        ledger.used.update(used)
        for name, text in contents(ledger, list[Reject]()).items():
            (self.folder("FaceExampleGen", "rejects") / name).write_text(text)
        self.step("ImportSchemaGen", run, {}, {"schema": {}}, {"schema_file": "/schema/ab/s.pbtxt"})
        fed = {"rejects": self.made["FaceExampleGen"]["rejects"]}
        self.step("DataReport", run, fed, {"verdict": {"passed": 1, "violated": 0}}, {})
        self.gate(run)
        fed = {**self.made["ImportSchemaGen"], "examples": self.made["FaceExampleGen"]["examples"]}
        outputs: dict[str, dict[str, Any]] = {"transformed_examples": {}, "transform_graph": {}}
        self.step("Transform", run, fed, outputs, {"custom_config": '{"store_size": 96}'})

    def gate(self, run: str, accepted: str = "", who: str = "") -> None:
        """A gate; with a reason, of data that broke a rule."""
        if accepted:
            fed = {"rejects": self.made["FaceExampleGen"]["rejects"]}
            self.step("DataReport", run, fed, {"verdict": {"passed": 0, "violated": 1}}, {})
        approval = {"reason": accepted, "accepted_by": who, "violated": int(bool(accepted))}
        self.step("DataGate", run, self.made["DataReport"], {"approval": approval}, {})
        written = approval | {"violated": ["female_share"] if accepted else []}
        path = self.folder("DataGate", "approval") / "approval.json"
        path.write_text(json.dumps(written))

    def tune(self, run: str, model: str) -> None:
        """A search of two trials, the second of which is best."""
        outputs: dict[str, dict[str, Any]] = {
            "best_hyperparameters": {},
            "tuner_results": {"trials": 2, "failed": 0, "best_trial": 2},
        }
        fed = {"examples": self.made["Transform"]["transformed_examples"]}
        self.step(f"Tuner_{model}", run, fed, outputs, {})
        rows = [
            trials.Trial(
                number=number, status="completed", hyperparameters={"learning_rate": 0.004},
                score=2 / number, age_mae=5.5, gender_accuracy=0.9, epochs=5, seconds=60,
            )
            for number in (1, 2)
        ]  # fmt: skip
        path = self.folder(f"Tuner_{model}", "tuner_results") / trials.TRIALS_FILE
        path.write_text(trials.as_lines(rows))

    def train(self, run: str, model: str, record_id: str = "", seed: int = 0) -> None:
        """A training, with what the newest search of the model found, if there was one."""
        fed = {
            "examples": self.made["Transform"]["transformed_examples"],
            **self.made["ImportSchemaGen"],
        }
        tuned = self.made.get(f"Tuner_{model}")
        if tuned:
            fed["hyperparameters"] = tuned["best_hyperparameters"]
        hyper = Hyperparameters(seed=seed).model_dump(mode="json")
        config = {
            "model": model,
            "hyperparameters": hyper,
            "code_fingerprint": f"code of {run}"[:16],
        }
        told = {"custom_config": json.dumps(config), walk.RECORD: record_id}
        node = f"Trainer_{model}"
        told = {key: value for key, value in told.items() if value}
        self.step(node, run, fed, {"model": {}, "model_run": {}}, told)
        figures = {
            "hyperparameters": hyper,
            "hyperparameters_from": "tuned: trial 2 of 2" if tuned else "checked in",
            "precision": "float32", "seconds": 61.5, "epochs": 12, "parameters": 123456,
            "val": FIGURES,
        }  # fmt: skip
        self._trained(node, figures)

    def pair(self, run: str) -> None:
        """Two trained models joined."""
        fed = {
            f"{answer}_model_run": self.made[f"Trainer_{answer}_cnn"]["model_run"]
            for answer in ("gender", "age")
        }
        self.step("SpecialistPair", run, fed, {"model": {}, "model_run": {}}, {})
        self._trained("SpecialistPair", {"val": FIGURES})

    def publish(self, run: str, sources: Mapping[str, str]) -> int:
        """Judges candidates, given with the nodes that made them, and publishes the first."""
        winner, champion = next(iter(sources)), len(versions.list_versions(self.model_dir))
        self.step("Champion", run, {}, {"model": {"champion_version": champion}}, {})
        fed = {"champion_model": self.made["Champion"]["model"]}
        for name, node in sources.items():
            self.step(f"Evaluator_{name}", run, {"model": self.made[node]["model"]},
                      {"evaluation": {}}, {})  # fmt: skip
            fed[f"evaluation_{name}"] = self.made[f"Evaluator_{name}"]["evaluation"]
            fed |= {f"{key}_{name}": self.made[node][key] for key in ("model", "model_run")}
        blessing = {"blessed": 1, "blessing_message": f"{winner} wins."}
        outputs = {"model": {"candidate": winner}, "blessing": blessing, "leaderboard": {}}
        limits = {"max_age_mae": 7.0, "min_gender_accuracy": 0.9, "min_auc": None}
        told = {"candidates": json.dumps([*sources]), "thresholds": json.dumps(limits)}
        selected = self.step("Selector", run, fed, outputs, told)
        path = self.folder("Selector", "leaderboard") / "leaderboard.json"
        path.write_text(json.dumps(_leaderboard([*sources], champion)))
        checked = self.step(
            "ServableCheck", run, {"model": selected["model"]}, {"blessing": {"blessed": 1}}, {}
        )
        self.weights += 1
        model = write_model(self.workdir / "models" / str(self.weights), self.weights)
        version = versions.publish(model, self.model_dir)
        self.push(run, selected["blessing"], checked["blessing"], version, 1)
        return version

    def push(self, run: str, model: int, infra: int, version: int, pushed: int) -> None:
        """A Publisher that published a version, or found it served already."""
        served = self.model_dir / str(version)
        said = {
            "pushed": pushed,
            "pushed_destination": str(served),
            "pushed_version": str(version),
            "content_digest": versions.content_digest(served),
        }
        fed = {"model_blessing": model, "infra_blessing": infra}
        self.step("Publisher", run, fed, {"pushed_model": said}, {"code_fingerprint": "publisher"})

    def _trained(self, node: str, figures: Mapping[str, Any]) -> None:
        folder = self.folder(node, "model_run")
        (folder / "figures.json").write_text(json.dumps(figures))
        (folder / "calibration.json").write_text(json.dumps(CALIBRATION))

    def _execute(
        self,
        node: str,
        run: str,
        state: int,
        told: Mapping[str, Any],
        inputs: Mapping[str, int],
        outputs: Sequence[tuple[mlmd.Artifact, mlmd.Event]],
    ) -> list[int]:
        kind = self._type("execution", node.partition("_")[0])
        execution = mlmd.Execution(type_id=kind, last_known_state=state)
        _set(execution.custom_properties, told)
        fed = self.store.get_artifacts_by_id(list(inputs.values())) if inputs else []
        by_id = {artifact.id: artifact for artifact in fed}
        events = [(by_id[i], _event(key, mlmd.Event.INPUT)) for key, i in inputs.items()]
        contexts = [
            mlmd.Context(type_id=self._type("context", kind_name), name=name)
            for kind_name, name in (("node", f"agegender.{node}"), ("pipeline_run", run))
        ]
        _, ids, _ = self.store.put_execution(
            execution, [*events, *outputs], contexts, reuse_context_if_already_exist=True
        )
        return list(ids[len(events) :])

    def _type(self, what: str, name: str) -> int:
        if (what, name) not in self.types:
            message = getattr(mlmd, f"{what.title()}Type")(name=name)
            self.types[what, name] = getattr(self.store, f"put_{what}_type")(message)
        return self.types[what, name]


def _event(key: str, kind: int) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    return event


def _set(properties: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(properties[name], "int_value" if isinstance(value, int) else "string_value", value)


def _leaderboard(names: list[str], champion: int) -> dict[str, Any]:
    bound = {"figure": "age_mae", "value": 5.09, "limit": 7.0, "margin": 1.91, "passed": True}
    rows = [
        {
            "rank": rank, "name": name, "score": 1.0 + rank, "val": FIGURES, "test": FIGURES,
            "intervals": {"age_mae": [4.9, 5.3]}, "thresholds": {"max_age_mae": bound},
            "slices": {"gender=1": FIGURES},
        }
        for rank, name in enumerate(names, start=1)
    ]  # fmt: skip
    to_beat = {"version": champion, "score": 3.5, "test": {"age_mae": 14.84}, "slices": {}}
    return {"candidates": rows, "champion": to_beat}
