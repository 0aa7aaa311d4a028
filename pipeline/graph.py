"""The graph: which nodes there are and what each is fed. Pure: no I/O, no runner."""

from collections.abc import Mapping
from dataclasses import dataclass

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

from components.champion.component import Champion
from components.face_example_gen.component import FaceExampleGen
from components.publisher.component import Publisher
from components.selector.component import Judged, Selector
from components.selector.logic import Thresholds
from components.servable_check.component import ServableCheck
from pipeline import evaluation
from pipeline.settings import FAMILY_OF, Settings
from schema import features

PIPELINE_NAME = features.MODEL_NAME

# The modules each node's result depends on: change one, and its nodes run again.
CODE: Mapping[str, tuple[str, ...]] = {
    "FaceExampleGen": ("components.face_example_gen", "schema.features"),
    "Transform": ("trainer.preprocessing", "schema.features"),
    "Trainer": ("trainer", "schema.features"),
    "Champion": (
        "components.champion",
        "schema.features",
        "serving.versions",
        "trainer.export",
        "trainer.preprocessing",
    ),
    "Selector": ("components.selector", "pipeline.evaluation", "trainer.score"),
    "ServableCheck": ("components.servable_check", "schema.features"),
    "Publisher": ("components.publisher", "serving.versions"),
}


@dataclass(frozen=True)
class Bindings:
    """What a runner finds out about the outside world before the graph is made.

    Attributes:
      pipeline_root: where artifacts are written.
      data_uri: the photographs.
      data_fingerprint: changes when they do.
      schema_file: a path that changes with the schema's content, for caching.
      model_dir: the folder of served versions.
      serving_state: changes when what is served does.
      code: digests of each node's code, keyed as CODE is.
    """

    pipeline_root: str
    data_uri: str
    data_fingerprint: str
    schema_file: str
    model_dir: str
    serving_state: str
    code: Mapping[str, str]


def create_pipeline(settings: Settings, bound: Bindings) -> Pipeline:
    """The whole pipeline; the same for every runner."""
    examples = FaceExampleGen(
        data_uri=bound.data_uri,
        data_fingerprint=bound.data_fingerprint,
        limit=settings.data.limit,
        shards=settings.data.shards,
        code_fingerprint=bound.code["FaceExampleGen"],
    )
    schema = ImportSchemaGen(schema_file=bound.schema_file)
    statistics = StatisticsGen(
        examples=examples.outputs["examples"], schema=schema.outputs["schema"]
    )
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    transform = _transform(settings, bound, examples.outputs["examples"], schema.outputs["schema"])
    champion = Champion(
        statistics=statistics.outputs["statistics"],
        transform_graph=transform.outputs["transform_graph"],
        model_dir=bound.model_dir,
        serving_state=bound.serving_state,
        store_size=settings.image.store_size,
        code_fingerprint=bound.code["Champion"],
    )
    # No thresholds: the champion is measured, not judged.
    champion_evaluator = _evaluator("champion", champion, examples, schema, None)
    nodes: list[BaseNode] = [
        examples, schema, statistics, validator, transform, champion, champion_evaluator,
    ]  # fmt: skip
    judged: dict[str, Judged] = {}
    for candidate in settings.candidates:
        trainer = _trainer(settings, bound, FAMILY_OF[candidate], transform, schema)
        evaluator = _evaluator(candidate, trainer, examples, schema, settings.thresholds)
        judged[candidate] = Judged(
            model=trainer.outputs["model"],
            model_run=trainer.outputs["model_run"],
            evaluation=evaluator.outputs["evaluation"],
            blessing=evaluator.outputs["blessing"],
        )
        nodes += [trainer, evaluator]
    selector = Selector(
        candidates=judged,
        champion_model=champion.outputs["model"],
        champion_evaluation=champion_evaluator.outputs["evaluation"],
        thresholds=settings.thresholds,
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
    return Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=bound.pipeline_root,
        components=[*nodes, selector, check, publisher],
        enable_cache=True,
        beam_pipeline_args=list(settings.beam_args),
    )


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


def _trainer(
    settings: Settings,
    bound: Bindings,
    family: str,
    transform: Transform,
    schema: ImportSchemaGen,
) -> Trainer:
    return Trainer(
        run_fn="trainer.training.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["val", "calib"]),
        custom_config={
            "family": family,
            "store_size": settings.image.store_size,
            "hyperparameters": settings.training.model_dump(mode="json"),
            "code_fingerprint": bound.code["Trainer"],
        },
    ).with_id(f"Trainer_{family}")


def _evaluator(
    name: str,
    source: BaseNode,
    examples: FaceExampleGen,
    schema: ImportSchemaGen,
    thresholds: Thresholds | None,
) -> Evaluator:
    """Measures the model of `source` on the raw test faces, and judges it when it can."""
    return Evaluator(
        examples=examples.outputs["examples"],
        model=source.outputs["model"],
        schema=schema.outputs["schema"],
        eval_config=evaluation.eval_config(thresholds),
        example_splits=["test"],
    ).with_id(f"Evaluator_{name}")
