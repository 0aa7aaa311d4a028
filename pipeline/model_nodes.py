"""The nodes there are one of for each trained model or candidate: search, training, figures."""

from collections.abc import Callable, Mapping
from typing import Any

from tfx.components.evaluator.component import Evaluator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import trainer_pb2

from components.ensemble.component import Ensemble
from components.face_example_gen.component import FaceExampleGen
from components.model_report.component import ModelReport
from components.selector.logic import Thresholds
from components.soft_labels.component import SoftLabels
from components.specialist_pair.component import SpecialistPair
from components.tuner.component import Tuner
from pipeline import evaluation
from pipeline.bindings import Bindings
from pipeline.settings import Settings
from trainer.names import TrainedModel


def _training(settings: Settings, bound: Bindings, model: TrainedModel) -> dict[str, Any]:
    """What a training is told, whether it is a trial or not."""
    return {
        "model": model,
        "store_size": settings.image.store_size,
        "hyperparameters": settings.hyperparameters(model).model_dump(mode="json"),
        "weights_fingerprint": bound.weights.get(model, ""),
    }


def tuner(
    settings: Settings,
    bound: Bindings,
    model: TrainedModel,
    transform: Transform,
    schema: ImportSchemaGen,
) -> Tuner:
    """Searches for a model's hyperparameters."""
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


def trainer(
    settings: Settings,
    bound: Bindings,
    model: TrainedModel,
    transform: Transform,
    schema: ImportSchemaGen,
    tuner: Tuner | None,
    soft_labels: SoftLabels | None = None,
) -> Trainer:
    """Trains a model, with what its search found where there is one, a student on soft labels."""
    taught = soft_labels.outputs["taught_examples"] if soft_labels else None
    return Trainer(
        run_fn="trainer.training.run_fn",
        examples=taught or transform.outputs["transformed_examples"],
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


def soft_labels(bound: Bindings, transform: Transform, teacher: Ensemble) -> SoftLabels:
    """What the ensemble answers to the training pictures, for students."""
    return SoftLabels(
        examples=transform.outputs["transformed_examples"],
        model_run=teacher.outputs["model_run"],
        code_fingerprint=bound.code["SoftLabels"],
    )


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


def ensemble(
    settings: Settings,
    bound: Bindings,
    trainers: Mapping[TrainedModel, Trainer],
    transform: Transform,
) -> Ensemble:
    """The mean of its members."""
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
JOINS: Mapping[str, Callable[..., BaseNode]] = {
    "specialists": _specialist_pair,
    "ensemble": ensemble,
}


def evaluator(
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


def report(
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
