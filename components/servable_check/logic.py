"""What a servable must do before it may be published, and how it is asked.

`probe.py` asks, in a process of its own; here its answers are judged against the contract.
"""

import base64
import io
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from schema import age_groups, features

PROBE = Path(__file__).with_name("probe.py")
FACES = 8
# Kernels differ with the batch size, so equal answers are equal to float32 noise only.
TOLERANCE = 1e-4
DTYPES = {
    features.OUT_AGE: "float32",
    features.OUT_AGE_LOW: "float32",
    features.OUT_AGE_HIGH: "float32",
    features.OUT_FEMALE_PROBABILITY: "float32",
    features.OUT_GENDER: "string",
    features.OUT_AGE_GROUP: "string",
}
SIGNATURE_INPUTS = {
    features.SIGNATURE_DEFAULT: features.INPUT_IMAGE_BYTES,
    features.SIGNATURE_EXAMPLES: features.INPUT_EXAMPLES,
    features.SIGNATURE_TRANSFORM: features.INPUT_EXAMPLES,
}


def check(
    model_dir: str, example_files: Sequence[str], max_seconds: int, log_path: Path
) -> list[str]:
    """Everything that is wrong with the servable in `model_dir`, a line each; empty if it is sound.

    Args:
        model_dir: a SavedModel with warm-up requests.
        example_files: TFRecords of serialized Examples with faces to ask with.
        max_seconds: the time the process may take, TensorFlow's import included.
        log_path: gets what the process wrote to standard error.
    """
    request = {
        "model_dir": model_dir,
        "max_seconds": max_seconds,
        "example_files": list(example_files),
        "faces": FACES,
        "image_feature": features.IMAGE,
        # Servers are sent pictures of all sizes in one batch; faces of one data set may be alike.
        "pictures": [_base64(synthetic_picture())],
        "corrupt": {name: _base64(picture) for name, picture in _corrupt_pictures().items()},
        "signatures": list(SIGNATURE_INPUTS),
        "inputs": [features.INPUT_IMAGE_BYTES, features.INPUT_EXAMPLES],
    }
    try:
        return faults(_ask_in_fresh_process(request, max_seconds, log_path))
    except subprocess.TimeoutExpired:
        return [f"no answer within {max_seconds} s (max_seconds), loading included"]
    except _ProbeError as error:
        return [str(error)]


def synthetic_picture(width: int = 160, height: int = 120) -> bytes:
    """A JPEG of a colour gradient: decodes like a photograph, but shows nobody."""
    across = Image.linear_gradient("L").resize((width, height))
    picture = Image.merge("RGB", (across, across.rotate(180), Image.new("L", across.size, 128)))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def faults(found: dict[str, Any]) -> list[str]:
    """What breaks the contract in the probe's reply (its form: `probe.ask`), a line each."""
    if "load_error" in found:
        return [f"it does not load: {found['load_error']}"]
    if wrong := _signature_faults(found["signatures"]):
        return wrong
    if not found["faces"]:
        return ["there was no face to ask it with: the split is empty"]

    answers, faces = found["answers"], found["faces"]
    pictures = len(answers["singles"])
    asked = [
        ("batch", answers["batch"], pictures),
        *((f"picture {i}", single, 1) for i, single in enumerate(answers["singles"])),
        (features.SIGNATURE_EXAMPLES, answers["examples"], faces),
        ("after a corrupt picture", answers["batch_after_corrupt"], pictures),
        *(("warm-up request", answer, 1) for answer in answers["warm_up"]),
    ]
    wrong = [f"{name}: {fault}" for name, answer, n in asked for fault in _answer_faults(answer, n)]
    wrong += _transform_faults(answers["transformed"], faces)
    wrong += [
        f"{name} was answered instead of refused"
        for name, answer in answers["corrupt"].items()
        if "error" not in answer
    ]
    if not answers["warm_up"]:
        wrong.append("there is no warm-up request")
    # Comparing makes sense only among answers that are sound each for itself.
    return wrong or _disagreements(answers)


class _ProbeError(Exception):
    """The process ended without a usable answer."""


def _ask_in_fresh_process(
    request: dict[str, Any], max_seconds: int, log_path: Path
) -> dict[str, Any]:
    with log_path.open("wb") as log:
        ended = subprocess.run(
            # -I: neither this folder, nor the working directory, nor PYTHONPATH is importable.
            [sys.executable, "-I", PROBE],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=log,
            timeout=max_seconds,
            # The pipeline's own TensorFlow may hold the whole of the GPU's memory.
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            check=False,
        )
    if ended.returncode < 0:
        raise _ProbeError(f"loading or asking it ended by {signal.Signals(-ended.returncode).name}")
    if ended.returncode > 0:
        lines = log_path.read_text(errors="replace").strip().splitlines() or ["no message"]
        raise _ProbeError(f"loading or asking it ended in {lines[-1]}")
    try:
        return json.loads(ended.stdout)
    except ValueError:
        raise _ProbeError("loading or asking it ended without an answer") from None


def _corrupt_pictures() -> dict[str, bytes]:
    whole = synthetic_picture()
    return {"a text": b"this is not a picture", "half a JPEG": whole[: len(whole) // 2]}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _signature_faults(signatures: dict[str, Any]) -> list[str]:
    wrong = []
    for name, input_name in SIGNATURE_INPUTS.items():
        # The batch is open: a server joins requests.
        wanted = {input_name: ["string", [None]]}
        if name not in signatures:
            wrong.append(f"there is no signature {name}")
        elif signatures[name] != wanted:
            wrong.append(f"{name} takes {signatures[name]} instead of {wanted}")
    return wrong


def _answer_faults(answer: dict[str, Any], n: int) -> list[str]:
    """What is wrong with one answer about `n` pictures, by itself."""
    if "error" in answer:
        return [f"refused with {answer['error']}"]
    outputs = answer["outputs"]
    if set(outputs) != set(DTYPES):
        return [f"answers {sorted(outputs)} instead of {sorted(DTYPES)}"]
    wrong = [
        f"{name} is {outputs[name]['dtype']} {outputs[name]['shape']} instead of {dtype} [{n}]"
        for name, dtype in DTYPES.items()
        if (outputs[name]["dtype"], outputs[name]["shape"]) != (dtype, [n])
    ] or [f"{name} is not a finite number" for name in DTYPES if not outputs[name]["finite"]]
    return wrong or [
        f"face {i}: {fault}" for i in range(n) for fault in _face_faults(_row(answer, i))
    ]


def _face_faults(face: dict[str, Any]) -> list[str]:
    """Where the numbers and words about one face do not fit the contract or each other."""
    age, low, high = (
        face[name] for name in (features.OUT_AGE, features.OUT_AGE_LOW, features.OUT_AGE_HIGH)
    )
    female, gender = face[features.OUT_FEMALE_PROBABILITY], face[features.OUT_GENDER]
    group = face[features.OUT_AGE_GROUP]
    male_word, female_word = features.GENDERS
    wrong = []
    if not features.MIN_AGE <= age <= features.MAX_AGE:
        wrong.append(f"age {age} is outside {features.MIN_AGE}..{features.MAX_AGE}")
    if not low <= age <= high:
        wrong.append(f"age {age} is outside its own interval {low}..{high}")
    # Which group is the likeliest is not for the age alone to say.
    if not any(group in groups for groups in age_groups.GROUPS.values()):
        wrong.append(f"age {age} is in age group {group!r}")
    if not 0 <= female <= 1:
        wrong.append(f"female_probability {female} is outside 0..1")
    # At one half exactly either word is right.
    if (
        gender not in features.GENDERS
        or (female > 0.5 and gender == male_word)
        or (female < 0.5 and gender == female_word)
    ):
        wrong.append(f"gender is {gender!r} where female_probability is {female}")
    return wrong


def _transform_faults(answer: dict[str, Any], n: int) -> list[str]:
    if "error" in answer:
        return [f"{features.SIGNATURE_TRANSFORM}: refused with {answer['error']}"]
    if not answer["outputs"]:
        return [f"{features.SIGNATURE_TRANSFORM}: answers nothing"]
    return [
        f"{features.SIGNATURE_TRANSFORM}: {name} is {output['shape']}, {n} finite rows expected"
        for name, output in answer["outputs"].items()
        if output["shape"][:1] != [n] or not output["finite"]
    ]


def _disagreements(answers: dict[str, Any]) -> list[str]:
    """Where one picture got two answers."""
    wrong = []
    for i, single in enumerate(answers["singles"]):
        face = _row(answers["batch"], i)
        others = {"alone": _row(single, 0), "later": _row(answers["batch_after_corrupt"], i)}
        if i < len(next(iter(answers["examples"]["outputs"].values()))["values"]):
            others[f"as {features.SIGNATURE_EXAMPLES}"] = _row(answers["examples"], i)
        for how, other in others.items():
            wrong += [
                f"picture {i}: {name} is {face[name]} in a batch, {other[name]} {how}"
                for name, dtype in DTYPES.items()
                # The words follow from the numbers, and may differ where a number is on an edge.
                if dtype != "string"
                and not math.isclose(face[name], other[name], rel_tol=TOLERANCE, abs_tol=TOLERANCE)
            ]
    return wrong


def _row(answer: dict[str, Any], i: int) -> dict[str, Any]:
    return {name: output["values"][i] for name, output in answer["outputs"].items()}
