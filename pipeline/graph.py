"""The graph: which nodes there are and what each is fed. Pure: no I/O, no runner."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfx.components.distribution_validator.component import DistributionValidator
from tfx.components.evaluator.component import Evaluator
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2, transform_pb2
from tfx.types.channel import BaseChannel

from components.baseline.component import Baseline
from components.champion.component import Champion
from components.data_gate.component import DataGate
from components.data_report.component import DataReport
from components.ensemble.component import Ensemble
from components.face_example_gen.component import FaceExampleGen
from components.model_card.component import ModelCard
from components.model_card.known import About
from components.model_report.component import ModelReport
from components.publisher.component import Publisher
from components.selector.component import Judged, Selector
from components.selector.logic import Thresholds
from components.servable_check.component import ServableCheck
from components.specialist_pair.component import SpecialistPair
from components.tuner.component import Tuner
from pipeline import evaluation, reproduce, validation
from pipeline.settings import Settings
from schema import features
from trainer.names import TrainedModel

PIPELINE_NAME = features.MODEL_NAME

# The modules each node's result depends on: change one, and its nodes run again.
CODE: Mapping[str, tuple[str, ...]] = {
    "FaceExampleGen": ("components.face_example_gen", "schema.features"),
    "Baseline": ("components.baseline",),
    "DataReport": (
        "components.data_report",
        "components.face_example_gen.ledger",
        "components.face_example_gen.rejects",
        "schema.features",
    ),
    "DataGate": ("components.data_gate", "components.data_report.verdict"),
    "Transform": ("trainer.preprocessing", "schema.features"),
    "Trainer": ("trainer", "schema.age_groups", "schema.features"),
    "Tuner": ("components.tuner", "trainer", "schema.age_groups", "schema.features"),
    "Ensemble": ("components.ensemble", "trainer", "schema.age_groups", "schema.features"),
    "SpecialistPair": (
        "components.specialist_pair",
        "schema.age_groups",
        "schema.features",
        "trainer.callbacks",
        "trainer.calibration",
        "trainer.export",
        "trainer.heads",
        "trainer.metrics",
        "trainer.predictors",
        "trainer.preprocessing",
        "trainer.runs",
        "trainer.score",
    ),
    "Evaluator": ("pipeline.metrics", "schema", "trainer.metrics"),
    "Champion": (
        "components.champion",
        "schema.age_groups",
        "schema.features",
        "serving.versions",
        "trainer.export",
        "trainer.preprocessing",
    ),
    "ModelReport": (
        "components.finite",
        "components.model_report",
        "components.selector.intervals",
        "components.selector.slices",
        "pipeline.evaluation",
        "schema.features",
        "trainer.heads",
        "trainer.metrics",
        "trainer.preprocessing",
        "trainer.runs",
    ),
    "Selector": (
        "components.finite",
        "components.model_report.report",
        "components.selector",
        "pipeline.evaluation",
        "schema.features",
        "trainer.score",
    ),
    "ServableCheck": ("components.servable_check", "schema.age_groups", "schema.features"),
    "Publisher": ("components.publisher", "serving.versions"),
    "ModelCard": (
        "components.data_report.charts",
        "components.data_report.measures",
        "components.data_report.verdict",
        "components.face_example_gen.ledger",
        "components.face_example_gen.rejects",
        "components.model_card",
        "components.model_report.report",
        "components.selector",
        "schema.age_groups",
        "schema.features",
        "serving.versions",
        "trainer.names",
    ),
}


@dataclass(frozen=True)
class Bindings:
    """What a runner finds out about the outside world before the graph is made.

    Attributes:
      pipeline_root: where artifacts are written.
      data_uri: the photographs.
      data_fingerprint: changes when they do.
      schema_file: a path that changes with the schema's content, for caching.
      comparators: the schema's.
      baseline_uri: statistics of the last other data that passed the gate, "" when there are none.
      model_dir: the folder of served versions.
      serving_state: changes when what is served does.
      code: digests of each node's code, keyed as CODE is.
      weights: changes, for a trained model that starts from a file, when that file does.
      tuning_dir: where searches for hyperparameters are kept, to go on with.
      accept_reason: why the data are accepted whatever the verdict on them; "" when they are not.
      accepted_by: who says so.
      commit: of the code that runs, "" where it is not known.
    """

    pipeline_root: str
    data_uri: str
    data_fingerprint: str
    schema_file: str
    comparators: validation.Comparators
    baseline_uri: str
    model_dir: str
    serving_state: str
    code: Mapping[str, str]
    weights: Mapping[str, str] = field(default_factory=dict)
    tuning_dir: str = ""
    accept_reason: str = ""
    accepted_by: str = ""
    commit: str = ""


def create_pipeline(settings: Settings, bound: Bindings) -> Pipeline:
    """The whole pipeline; the same for every runner."""
    examples = FaceExampleGen(
        data_uri=bound.data_uri,
        data_fingerprint=bound.data_fingerprint,
        limit=settings.data.limit,
        shards=settings.data.shards,
        policy=settings.data.policy.model_dump_json(),
        balance=settings.data.balance.model_dump_json(),
        code_fingerprint=bound.code["FaceExampleGen"],
    )
    schema = ImportSchemaGen(schema_file=bound.schema_file)
    statistics = StatisticsGen(
        examples=examples.outputs["examples"], schema=schema.outputs["schema"]
    )
    judging, data_report, gate = _judging(settings, bound, examples, schema, statistics)
    transform = _transform(settings, bound, examples.outputs["examples"], schema.outputs["schema"])
    # All that learns from the data or is measured on them comes after Transform.
    transform.add_upstream_node(gate)
    champion = Champion(
        statistics=statistics.outputs["statistics"],
        transform_graph=transform.outputs["transform_graph"],
        model_dir=bound.model_dir,
        serving_state=bound.serving_state,
        store_size=settings.image.store_size,
        code_fingerprint=bound.code["Champion"],
    )
    # No thresholds: the champion is measured, not judged.
    champion_evaluator = _evaluator(settings, bound, "champion", champion, examples, schema)
    champion_report = _report(settings, bound, "champion", champion, champion_evaluator, examples)
    nodes: list[BaseNode] = [
        examples, schema, statistics, *judging, transform, champion, champion_evaluator,
        champion_report,
    ]  # fmt: skip
    tuners = {
        model: _tuner(settings, bound, model, transform, schema) for model in settings.tuned_models
    }
    trainers = {
        model: _trainer(settings, bound, model, transform, schema, tuners.get(model))
        for model in settings.trained_models
    }
    nodes += [*tuners.values(), *trainers.values()]
    judged: dict[str, Judged] = {}
    for candidate in settings.candidates:
        source: BaseNode = trainers[settings.made_of(candidate)[0]]
        if joins := _JOINS.get(candidate):
            source = joins(settings, bound, trainers, transform)
            nodes.append(source)
        evaluator = _evaluator(
            settings, bound, candidate, source, examples, schema, settings.thresholds
        )
        report = _report(settings, bound, candidate, source, evaluator, examples)
        judged[candidate] = Judged(
            model=source.outputs["model"],
            model_run=source.outputs["model_run"],
            evaluation=evaluator.outputs["evaluation"],
            blessing=evaluator.outputs["blessing"],
            report=report.outputs["report"],
        )
        nodes += [evaluator, report]
    selector = Selector(
        candidates=judged,
        champion_model=champion.outputs["model"],
        champion_evaluation=champion_evaluator.outputs["evaluation"],
        champion_report=champion_report.outputs["report"],
        thresholds=settings.thresholds,
        slices=settings.slices,
        tolerance=settings.selection.tolerance,
        code_fingerprint=bound.code["Selector"],
    )
    check = ServableCheck(
        model=selector.outputs["model"],
        examples=examples.outputs["examples"],
        model_blessing=selector.outputs["blessing"],
        max_seconds=settings.check.max_seconds,
        code_fingerprint=bound.code["ServableCheck"],
    )
    publisher = Publisher(
        model_blessing=selector.outputs["blessing"],
        infra_blessing=check.outputs["blessing"],
        model_dir=bound.model_dir,
        serving_state=bound.serving_state,
        code_fingerprint=bound.code["Publisher"],
    )
    # After Publisher, which alone knows what became of the model and under which number.
    card = ModelCard(
        candidates=judged,
        leaderboard=selector.outputs["leaderboard"],
        model=selector.outputs["model"],
        pushed_model=publisher.outputs["pushed_model"],
        rejects=examples.outputs["rejects"],
        verdict=data_report.outputs["verdict"],
        about=About(
            source=reproduce.source_name(settings),
            command=reproduce.command(settings, bound.accept_reason),
            commit=bound.commit,
            age_groups=settings.age_groups,
        ),
        code_fingerprint=bound.code["ModelCard"],
    )
    return Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=bound.pipeline_root,
        components=[*nodes, selector, check, publisher, card],
        enable_cache=True,
        beam_pipeline_args=list(settings.beam_args),
    )


def _judging(
    settings: Settings,
    bound: Bindings,
    examples: FaceExampleGen,
    schema: ImportSchemaGen,
    statistics: StatisticsGen,
) -> tuple[list[BaseNode], DataReport, DataGate]:
    """The nodes that judge the data, and among them the report and the gate."""
    measured = statistics.outputs["statistics"]
    validator = ExampleValidator(statistics=measured, schema=schema.outputs["schema"])
    baseline = Baseline(
        statistics=measured,
        baseline_uri=bound.baseline_uri,
        code_fingerprint=bound.code["Baseline"],
    )
    skew = bound.comparators.skew
    if settings.data.balance.max_per_age or settings.data.balance.fractions:
        # Split train is then meant to differ from the others in its labels.
        skew = {name: most for name, most in skew.items() if name not in features.LABELS}
    splits = DistributionValidator(
        statistics=measured,
        baseline_statistics=measured,
        config=validation.distribution_config(skew),
        include_split_pairs=validation.SPLIT_PAIRS,
    ).with_id("SplitValidator")
    drift = DistributionValidator(
        statistics=measured,
        baseline_statistics=baseline.outputs["baseline_statistics"],
        config=validation.distribution_config(bound.comparators.drift),
        include_split_pairs=validation.SAME_SPLITS,
    ).with_id("DriftValidator")
    report = DataReport(
        statistics=measured,
        anomalies=validator.outputs["anomalies"],
        split_anomalies=splits.outputs["anomalies"],
        drift_anomalies=drift.outputs["anomalies"],
        baseline_statistics=baseline.outputs["baseline_statistics"],
        rejects=examples.outputs["rejects"],
        expectations=json.dumps(
            {name: rule.model_dump(mode="json") for name, rule in settings.expectations.items()}
        ),
        source=bound.data_uri,
        code_fingerprint=bound.code["DataReport"],
    )
    gate = DataGate(
        verdict=report.outputs["verdict"],
        statistics=measured,
        data_uri=bound.data_uri,
        data_fingerprint=bound.data_fingerprint,
        accept_reason=bound.accept_reason,
        accepted_by=bound.accepted_by,
        code_fingerprint=bound.code["DataGate"],
    )
    return [validator, baseline, splits, drift, report, gate], report, gate


def _transform(
    settings: Settings, bound: Bindings, examples: BaseChannel, schema: BaseChannel
) -> Transform:
    # Test faces are only ever seen raw, by Evaluator, as serving sees them.
    train, *others = (split for split in features.SPLITS if split != "test")
    return Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=[train], transform=[train, *others]),
        custom_config={
            "store_size": settings.image.store_size,
            "code_fingerprint": bound.code["Transform"],
        },
        disable_statistics=True,  # nothing reads statistics of pixels
        disable_analyzer_cache=True,  # there are no analyzers
    )


def _training(settings: Settings, bound: Bindings, model: TrainedModel) -> dict[str, Any]:
    """What a training is told, whether it is a trial or not."""
    return {
        "model": model,
        "store_size": settings.image.store_size,
        "hyperparameters": settings.hyperparameters(model).model_dump(mode="json"),
        "weights_fingerprint": bound.weights.get(model, ""),
    }


def _tuner(
    settings: Settings,
    bound: Bindings,
    model: TrainedModel,
    transform: Transform,
    schema: ImportSchemaGen,
) -> Tuner:
    # A trial sees what a training is stopped by, and nothing that it is measured by later.
    return Tuner(
        tuner_fn="trainer.tuning.tuner_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["val"]),
        custom_config={
            **_training(settings, bound, model),
            "tuning": settings.tuning.model_dump(mode="json", exclude={"enabled", "models"}),
            "tuning_dir": bound.tuning_dir,
            "code_fingerprint": bound.code["Tuner"],
        },
    ).with_id(f"Tuner_{model}")


def _trainer(
    settings: Settings,
    bound: Bindings,
    model: TrainedModel,
    transform: Transform,
    schema: ImportSchemaGen,
    tuner: Tuner | None,
) -> Trainer:
    return Trainer(
        run_fn="trainer.training.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["val", "calib"]),
        custom_config={
            **_training(settings, bound, model),
            "age_groups": settings.age_groups,
            "code_fingerprint": bound.code["Trainer"],
        },
    ).with_id(f"Trainer_{model}")


def _specialist_pair(
    settings: Settings,
    bound: Bindings,
    trainers: Mapping[TrainedModel, Trainer],
    transform: Transform,
) -> SpecialistPair:
    gender, age = settings.made_of("specialists")
    return SpecialistPair(
        gender_model_run=trainers[gender].outputs["model_run"],
        age_model_run=trainers[age].outputs["model_run"],
        transform_graph=transform.outputs["transform_graph"],
        age_groups=settings.age_groups,
        code_fingerprint=bound.code["SpecialistPair"],
    )


def _ensemble(
    settings: Settings,
    bound: Bindings,
    trainers: Mapping[TrainedModel, Trainer],
    transform: Transform,
) -> Ensemble:
    return Ensemble(
        members={
            model: trainers[model].outputs["model_run"] for model in settings.made_of("ensemble")
        },
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        age_groups=settings.age_groups,
        code_fingerprint=bound.code["Ensemble"],
    )


# What makes a candidate of several trained models.
_JOINS: Mapping[str, Callable[..., BaseNode]] = {
    "specialists": _specialist_pair,
    "ensemble": _ensemble,
}


def _evaluator(
    settings: Settings,
    bound: Bindings,
    name: str,
    source: BaseNode,
    examples: FaceExampleGen,
    schema: ImportSchemaGen,
    thresholds: Thresholds | None = None,
) -> Evaluator:
    """Measures the model of `source` on the raw test faces, and judges it when it can."""
    return Evaluator(
        examples=examples.outputs["examples"],
        model=source.outputs["model"],
        schema=schema.outputs["schema"],
        eval_config=evaluation.eval_config(
            thresholds, settings.age_groups, bound.code["Evaluator"]
        ),
        module_path=evaluation.MODULE,
        example_splits=["test"],
    ).with_id(f"Evaluator_{name}")


def _report(
    settings: Settings,
    bound: Bindings,
    name: str,
    source: BaseNode,
    evaluator: Evaluator,
    examples: FaceExampleGen,
) -> ModelReport:
    """Looks closely at the model of `source`, and into it where its training is known."""
    return ModelReport(
        name=name,
        model=source.outputs["model"],
        model_run=source.outputs.get("model_run"),
        examples=examples.outputs["examples"],
        evaluation=evaluator.outputs["evaluation"],
        settings=settings.report,
        code_fingerprint=bound.code["ModelReport"],
    ).with_id(f"ModelReport_{name}")
