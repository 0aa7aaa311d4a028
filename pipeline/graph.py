"""The graph: which nodes there are and what each is fed. Pure: no I/O, no runner."""

import json
from collections.abc import Mapping, Sequence

from tfx.components.distribution_validator.component import DistributionValidator
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import transform_pb2
from tfx.types.channel import BaseChannel

from components.baseline.component import Baseline
from components.champion.component import Champion
from components.data_gate.component import DataGate
from components.data_report.component import DataReport
from components.face_example_gen.component import FaceExampleGen
from components.model_card.component import ModelCard
from components.model_card.known import About
from components.publisher.component import Publisher
from components.recorder.component import Recorder
from components.selector.component import Judged, Selector
from components.servable_check.component import ServableCheck
from pipeline import model_nodes, reproduce, validation
from pipeline.bindings import Bindings
from pipeline.settings import Settings
from schema import features

PIPELINE_NAME = features.MODEL_NAME


def create_pipeline(settings: Settings, bound: Bindings) -> Pipeline:
    """The whole pipeline; the same for every runner."""
    examples = FaceExampleGen(
        data_uri=bound.data_uri,
        data_fingerprint=bound.data_fingerprint,
        limit=settings.data.limit,
        shards=settings.data.shards,
        policy=settings.data.policy.model_dump_json(),
        balance=settings.data.balance.model_dump_json(),
        labels_uri=bound.labels_uri,
        label_columns=settings.data.columns.model_dump_json(),
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
    champion_evaluator = model_nodes.evaluator(
        settings, bound, "champion", champion, examples, schema
    )
    champion_report = model_nodes.report(
        settings, bound, "champion", champion, champion_evaluator, examples
    )
    nodes: list[BaseNode] = [
        examples, schema, statistics, *judging, transform, champion, champion_evaluator,
        champion_report,
    ]  # fmt: skip
    learning, sources = _learning(settings, bound, transform, schema)
    nodes += learning
    judged: dict[str, Judged] = {}
    for candidate in settings.candidates:
        source = sources[candidate]
        evaluator = model_nodes.evaluator(
            settings, bound, candidate, source, examples, schema, settings.thresholds
        )
        report = model_nodes.report(settings, bound, candidate, source, evaluator, examples)
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
            command=reproduce.command(
                settings, bound.accept_reason, "kubeflow submit" if bound.run_id else "run"
            ),
            commit=bound.commit,
            age_groups=settings.age_groups,
        ),
        code_fingerprint=bound.code["ModelCard"],
    )
    nodes += [selector, check, publisher, card]
    if bound.run_id:
        nodes.append(_recorder(settings, bound, nodes, judged))
    return Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=bound.pipeline_root,
        components=nodes,
        enable_cache=True,
        beam_pipeline_args=list(settings.beam_args),
    )


def _learning(
    settings: Settings, bound: Bindings, transform: Transform, schema: ImportSchemaGen
) -> tuple[list[BaseNode], dict[str, BaseNode]]:
    """The nodes that make models, and among them what makes each candidate, by its name."""
    tuners = {
        model: model_nodes.tuner(settings, bound, model, transform, schema)
        for model in settings.tuned_models
    }
    trainers = {
        model: model_nodes.trainer(settings, bound, model, transform, schema, tuners.get(model))
        for model in settings.trained_models
        if model not in settings.students
    }
    nodes: list[BaseNode] = [*tuners.values(), *trainers.values()]
    joined = {
        name: join(settings, bound, trainers, transform)
        for name, join in model_nodes.JOINS.items()
        if name in settings.candidates or (name == "ensemble" and settings.students)
    }
    nodes += joined.values()
    if settings.students:
        soft = model_nodes.soft_labels(bound, transform, joined["ensemble"])
        students = {
            model: model_nodes.trainer(settings, bound, model, transform, schema, None, soft)
            for model in settings.students
        }
        nodes += [soft, *students.values()]
        trainers |= students
    sources: dict[str, BaseNode] = {
        name: joined.get(name) or trainers[settings.made_of(name)[0]]
        for name in settings.candidates
    }
    return nodes, sources


def _recorder(
    settings: Settings, bound: Bindings, nodes: Sequence[BaseNode], judged: Mapping[str, Judged]
) -> Recorder:
    return Recorder(
        nodes=nodes,
        models={name: one.model for name, one in judged.items()},
        settings=settings.model_dump_json(by_alias=True),
        run_id=bound.run_id,
        data_uri=bound.data_uri,
        data_fingerprint=bound.data_fingerprint,
        commit=bound.commit,
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
