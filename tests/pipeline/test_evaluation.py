"""TFX's Evaluator with our config, on a model whose answers are written in the "pictures"."""

import json

import numpy as np
import pytest

from components.selector.logic import Thresholds
from pipeline import evaluation
from schema import features

THRESHOLDS = Thresholds(max_age_mae=7, min_gender_accuracy=0.8)
WIDTH_BELOW, WIDTH_ABOVE = 10.0, 6.0
GROUPS = ("13-19", "20-29")  # all that the model answers


@pytest.fixture(scope="module")
def faces():
    """Sixty faces with answers that meet THRESHOLDS, though not on those of race 0."""
    random = np.random.default_rng(4)
    count = 60
    age = random.integers(0, 100, count)
    gender = random.integers(0, 2, count)
    race = np.arange(count) % 5
    size = np.where(race == 0, 14.0, np.where(np.arange(count) % 2, 7.0, 2.0))
    error = size * random.choice([-1, 1], count)
    right = np.where(np.arange(count) % 8 == 0, -1, 1)
    female = 0.5 + right * (gender - 0.5) * random.uniform(0.1, 0.9, count)
    # The model reads text, so numpy must see the figures as rounded there.
    return {
        "age": age,
        "gender": gender,
        "race": race,
        "age_group": np.array([features.age_group(value) for value in age]),
        "brightness_level": np.array(features.BRIGHTNESS_LEVELS)[np.arange(count) % 3],
        "sharpness_level": np.array(features.SHARPNESS_LEVELS)[np.arange(count) % 2],
        "answer_age": np.round(age + error, 3),
        "answer_female": np.round(female, 4),
    }


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    """A servable with the contract's outputs that answers what each "image" says."""
    import tensorflow as tf

    def answer(examples):
        parsed = tf.io.parse_example(
            examples, {features.IMAGE: tf.io.FixedLenFeature([], tf.string)}
        )
        fields = tf.strings.split(parsed[features.IMAGE], ",").to_tensor()
        numbers = tf.strings.to_number(fields)
        age, female = numbers[:, 0], numbers[:, 1]
        return {
            features.OUT_AGE: age,
            features.OUT_AGE_LOW: age - WIDTH_BELOW,
            features.OUT_AGE_HIGH: age + WIDTH_ABOVE,
            features.OUT_FEMALE_PROBABILITY: female,
            features.OUT_GENDER: tf.where(female > 0.5, *features.GENDERS[::-1]),
            features.OUT_AGE_GROUP: tf.where(age < 20, *GROUPS),
        }

    signature = tf.function(answer, input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    module = tf.Module()
    module.answer = signature
    path = tmp_path_factory.mktemp("model")
    tf.saved_model.save(
        module,
        str(path / "Format-Serving"),
        signatures={features.SIGNATURE_EXAMPLES: signature},
    )
    return path


def write_examples(faces, folder):
    import tensorflow as tf

    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "faces.gz"), options="GZIP") as writer:
        for row in zip(*faces.values(), strict=True):
            face = dict(zip(faces, row, strict=True))
            example = tf.train.Example()
            feature = example.features.feature
            for name in (features.AGE, features.GENDER, features.RACE):
                feature[name].int64_list.value.append(int(face[name]))
            text = f"{face['answer_age']},{face['answer_female']}"
            feature[features.IMAGE].bytes_list.value.append(text.encode())
            for name in (features.AGE_GROUP, features.BRIGHTNESS_LEVEL, features.SHARPNESS_LEVEL):
                feature[name].bytes_list.value.append(face[name].encode())
            writer.write(example.SerializeToString())


def evaluate(faces, model_dir, tmp_path, thresholds, age_groups="decades"):
    """Run the Evaluator; returns the evaluation's folder and the names of the blessing's files."""
    from tfx.components.evaluator.executor import Executor
    from tfx.types import artifact_utils, standard_artifacts
    from tfx.utils import proto_utils

    write_examples(faces, tmp_path / "examples" / "Split-test")
    artifacts = {
        "examples": standard_artifacts.Examples(),
        "model": standard_artifacts.Model(),
        "evaluation": standard_artifacts.ModelEvaluation(),
        "blessing": standard_artifacts.ModelBlessing(),
    }
    for name, artifact in artifacts.items():
        artifact.uri = str(model_dir if name == "model" else tmp_path / name)
        (tmp_path / name).mkdir(exist_ok=True)
    artifacts["examples"].split_names = artifact_utils.encode_split_names(["test"])

    context = Executor.Context(
        # Any container image keeps TFX from packing itself up for remote workers, which takes 1 s.
        beam_pipeline_args=[
            "--runner=FnApiRunner",
            "--direct_running_mode=in_memory",
            "--sdk_container_image=none",
        ],
        tmp_dir=str(tmp_path / "tmp"),
        unique_id="1",
    )
    Executor(context).Do(
        {key: [artifacts[key]] for key in ("examples", "model")},
        {key: [artifacts[key]] for key in ("evaluation", "blessing")},
        {
            "eval_config": proto_utils.proto_to_json(
                evaluation.eval_config(thresholds, age_groups, "digest")
            ),
            "module_path": evaluation.MODULE,
            "example_splits": json.dumps(["test"]),
        },
    )
    blessing = [path.name for path in (tmp_path / "blessing").iterdir()]
    return str(tmp_path / "evaluation"), blessing


def by_numpy(faces, mask):
    """The figures of the faces in `mask`; AUC as the share of pairs that are in order."""
    age, label, female = faces["age"][mask], faces["gender"][mask], faces["answer_female"][mask]
    answer = faces["answer_age"][mask]
    error = answer - age
    called = female > 0.5
    hits = (called & (label == 1)).sum()
    pairs = np.sign(female[label == 1][:, None] - female[label == 0][None, :])
    named = np.where(answer < 20, *GROUPS)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0
        return {
            "age_mae": np.abs(error).mean(),
            "age_mse": (error**2).mean(),
            "age_rmse": np.sqrt((error**2).mean()),
            "age_r2": 1 - (error**2).sum() / ((age - age.mean()) ** 2).sum()
            if age.std()
            else np.nan,
            "age_within_5": (np.abs(error) <= 5).mean(),
            "age_within_10": (np.abs(error) <= 10).mean(),
            "age_coverage": ((error <= WIDTH_BELOW) & (error >= -WIDTH_ABOVE)).mean(),
            "age_interval_width": WIDTH_BELOW + WIDTH_ABOVE,
            "age_group_accuracy": (named == faces["age_group"][mask]).mean(),
            "age_mean": answer.mean(),
            "examples": mask.sum(),
            "gender_accuracy": (called == label).mean(),
            "gender_auc": (pairs / 2 + 0.5).mean() if pairs.size else np.nan,
            "gender_precision": np.divide(hits, called.sum()),
            "gender_recall": np.divide(hits, (label == 1).sum()),
            "gender_f1": np.divide(2 * hits, called.sum() + (label == 1).sum()),
            "gender_calibration": female.sum() / label.sum() if label.any() else np.nan,
            "female_share": label.mean(),
        }


def ece_by_numpy(faces):
    """ECE of all sixty faces in fifteen bins of four."""
    order = np.argsort(faces["answer_female"])
    gap = (faces["gender"] - faces["answer_female"])[order].reshape(15, 4).mean(axis=1)
    return np.abs(gap).mean()


def test_blessed_on_the_whole_split_with_figures_equal_to_numpys(faces, model_dir, tmp_path):
    uri, blessing = evaluate(faces, model_dir, tmp_path, THRESHOLDS)
    metrics = evaluation.read_metrics(uri)

    assert metrics["race=0"]["age_mae"] > THRESHOLDS.max_age_mae
    assert blessing == ["BLESSED"]
    assert evaluation.failed_thresholds(uri) == []

    predicted = np.array([features.age_group(age) for age in faces["answer_age"]])
    sliced = faces | {features.PREDICTED_AGE_GROUP: predicted}
    masks = {"overall": np.ones(60, bool)} | {
        f"{key}={value}": sliced[key] == value
        for key in (
            features.GENDER,
            features.RACE,
            features.AGE_GROUP,
            features.BRIGHTNESS_LEVEL,
            features.SHARPNESS_LEVEL,
            features.PREDICTED_AGE_GROUP,
        )
        for value in np.unique(sliced[key])
    }
    for race in range(5):
        for gender in range(2):
            both = (faces["race"] == race) & (faces["gender"] == gender)
            masks |= {f"race={race},gender={gender}": both} if both.any() else {}
    assert metrics.keys() == masks.keys()
    assert metrics["overall"]["gender_ece"] == pytest.approx(ece_by_numpy(faces), rel=1e-4)
    for name, mask in masks.items():
        found = {key: value for key, value in metrics[name].items() if key != "gender_ece"}
        assert found == pytest.approx(by_numpy(faces, mask), nan_ok=True, rel=1e-4), name


def test_groups_of_another_scheme_are_not_held_against_a_model(faces, model_dir, tmp_path):
    uri, _ = evaluate(faces, model_dir, tmp_path, None, age_groups="four")
    assert np.isnan(evaluation.read_metrics(uri)["overall"]["age_group_accuracy"])


def test_unblessed_with_a_line_per_threshold(faces, model_dir, tmp_path):
    broken = faces | {"answer_age": np.where(np.arange(60) == 3, np.nan, faces["answer_age"])}
    strict = Thresholds(max_age_mae=7, min_gender_accuracy=0.99, min_auc=0.999)
    uri, blessing = evaluate(broken, model_dir, tmp_path, strict)
    overall = evaluation.read_metrics(uri)["overall"]

    assert blessing == ["NOT_BLESSED"]
    assert sorted(evaluation.failed_thresholds(uri)) == [
        "age_mean is not a number",
        f"gender_accuracy {overall['gender_accuracy']:.4g} is below 0.99",
        f"gender_auc {overall['gender_auc']:.4g} is below 0.999",
    ]


def test_without_thresholds_it_only_measures(faces, model_dir, tmp_path):
    uri, blessing = evaluate(faces, model_dir, tmp_path, None)

    assert blessing == []
    assert evaluation.failed_thresholds(uri) == []
    assert evaluation.read_metrics(uri)["overall"]["examples"] == 60


def test_a_change_of_our_metrics_is_a_change_of_what_the_evaluator_is_told():
    first, second = (evaluation.eval_config(None, "decades", code) for code in ("a", "b"))
    assert first != second


def test_no_bound_reaches_a_slice():
    """TFMA holds a plain threshold against every slice, and a change or cross-slice one never."""
    config = evaluation.eval_config(Thresholds(max_age_mae=7, min_gender_accuracy=0.8, min_auc=0.9))
    bounds = {}
    for spec in config.metrics_specs:
        assert len(spec.output_names) == 1
        assert not spec.thresholds
        assert not spec.per_slice_thresholds
        assert not spec.cross_slice_thresholds
        for metric in spec.metrics:
            assert not metric.HasField("threshold")
            assert not metric.cross_slice_thresholds
            for bound in metric.per_slice_thresholds:
                assert [slice_.ListFields() for slice_ in bound.slicing_specs] == [[]]
                value = bound.threshold.value_threshold
                bounds[json.loads(metric.config)["name"]] = (
                    value.lower_bound.value if value.HasField("lower_bound") else None,
                    value.upper_bound.value if value.HasField("upper_bound") else None,
                )
    assert bounds == {
        "age_mae": (None, 7),
        "age_mean": (0, 116),
        "gender_accuracy": (0.8, None),
        "gender_auc": (0.9, None),
    }
