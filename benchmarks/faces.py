"""How faces are found and cropped: UTKFace's chips in photographs of other things.

`crop` says how UTKFace's crop lies about the square the cascade finds: the constants of
serving.faces. `found` pastes chips, at random places and sizes, into photographs that ship with
packages (scikit-learn's and gradio's) and says how many are found, how often something else is,
how long it takes, and what a published model answers about the found crop and about the chip.
`memory` says how much more memory ten times as many photographs take.

Usage: python -m benchmarks.faces crop|found UTKFace.tar.gz [--chips 500] [--tilt 30] [--model DIR]
       python -m benchmarks.faces memory SCRATCH [--chips 1000] --model DIR
"""

import argparse
import io
import os
import shutil
import statistics
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import cv2
import cv2.data
import numpy as np
from PIL import Image

from components.face_example_gen import logic, sources
from schema import features
from serving import faces, photographs
from serving.client import Answer, RefusedError, ask_all, connect
from serving.photographs import Pixels

_WIDTH, _HEIGHT = 1024, 768
_SMALLEST, _LARGEST = 64, 400  # side of a pasted chip, pixels; uniform by logarithm
_MARGIN = 100  # about a chip whose crop is measured, pixels
_DISTINCT = 10  # photographs, of which the others are links
_FOUND_OVERLAP = 0.4  # intersection over union of crop and chip
_PHOTOGRAPHS = (
    ("sklearn.datasets", "images/china.jpg"),
    ("sklearn.datasets", "images/flower.jpg"),
    ("gradio", "media_assets/images/cheetah1.jpg"),
    ("gradio", "media_assets/images/tower.jpg"),
    ("gradio", "test_data/cheetah2.jpg"),
)


class Chip(NamedTuple):
    """One of UTKFace's pictures and its labels."""

    jpeg: bytes
    labels: logic.Labels


class Scene(NamedTuple):
    """A photograph with a chip in it, and where: the chip's square."""

    pixels: Pixels
    place: faces.Square


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("crop", "found", "memory"))
    parser.add_argument("place", type=Path)
    parser.add_argument("--chips", type=int, default=500)
    parser.add_argument("--tilt", type=float, default=0.0, help="at most, degrees either way")
    parser.add_argument("--model", type=Path, help="a folder of published versions")
    arguments = parser.parse_args()
    if arguments.what == "memory":
        _memory(arguments.place, arguments.model, arguments.chips)
    elif arguments.what == "crop":
        _crop(chips_of(arguments.place, arguments.chips))
    else:
        chips = chips_of(arguments.place, arguments.chips)
        _found(chips, arguments.tilt, arguments.model)


def chips_of(archive: Path, count: int, split: str = "test") -> list[Chip]:
    """`count` of the archive's pictures that no model was trained on, spread over it."""
    named = [
        entry.name
        for entry in sources.list_entries(str(archive))
        if isinstance(logic.parse_name(entry.name), logic.Labels)
    ]
    wanted = set(sorted(named, key=logic.sample_key)[: 6 * count])
    chips = []
    for name, data in sources.read_entries(str(archive), wanted.__contains__):
        face = logic.examine(name, data)
        if isinstance(face, logic.Face) and logic.split_of(face.image_sha256) == split:
            chips.append(Chip(face.jpeg, face.labels))
        if len(chips) == count:
            break
    return chips


def scene(chip: Chip, seed: int, most_tilt: float = 0.0) -> Scene:
    """A photograph with the chip pasted in, its edge blended; the same for the same seed."""
    rng = np.random.default_rng(seed)
    background = _background(rng)
    side = round(float(np.exp(rng.uniform(np.log(_SMALLEST), np.log(_LARGEST)))))
    tilt = float(rng.uniform(-most_tilt, most_tilt))
    half = side / 2 * (abs(np.cos(np.radians(tilt))) + abs(np.sin(np.radians(tilt))))
    x, y = rng.uniform(half, _WIDTH - half), rng.uniform(half, _HEIGHT - half)
    face = photographs.read(chip.jpeg)
    zoom = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -tilt, 1.0)
    turn[:, 2] += x - side / 2, y - side / 2
    ramp = np.clip(np.minimum(np.arange(side), np.arange(side)[::-1]) / max(2, side / 25), 0, 1)
    laid = cv2.warpAffine(zoom, turn, (_WIDTH, _HEIGHT)).astype(np.float32)
    opacity = cv2.warpAffine(np.minimum.outer(ramp, ramp), turn, (_WIDTH, _HEIGHT))[:, :, None]
    pixels = laid * opacity + background * (1 - opacity)
    return Scene(pixels.round().astype(np.uint8), faces.Square(x, y, side, tilt))


def _background(rng: np.random.Generator) -> Pixels:
    """A random part of a random photograph, at a random scale, perhaps mirrored."""
    package, path = _PHOTOGRAPHS[rng.integers(len(_PHOTOGRAPHS))]
    whole = Image.open(io.BytesIO(files(package).joinpath(path).read_bytes())).convert("RGB")
    scale = rng.uniform(1, 2) * max(_WIDTH / whole.width, _HEIGHT / whole.height)
    large = whole.resize((round(whole.width * scale) + 1, round(whole.height * scale) + 1))
    left = rng.integers(large.width - _WIDTH + 1)
    top = rng.integers(large.height - _HEIGHT + 1)
    part = np.asarray(large)[top : top + _HEIGHT, left : left + _WIDTH]
    return part[:, ::-1] if rng.random() < 0.5 else part


def overlap(one: faces.Square, other: faces.Square) -> float:
    """Intersection over union of two squares, neither of them turned."""
    shared = [
        max(
            0.0,
            min(a + one.side / 2, b + other.side / 2) - max(a - one.side / 2, b - other.side / 2),
        )
        for a, b in ((one.x, other.x), (one.y, other.y))
    ]
    both = shared[0] * shared[1]
    return both / (one.side**2 + other.side**2 - both)


def _crop(chips: list[Chip]) -> None:
    """How chips lie about what is found in them, once each has a border of its edge's pixels."""
    find, lies = faces.haar(), []
    for chip in chips:
        face = photographs.read(chip.jpeg)
        wide = np.pad(face, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), "edge")
        for found in find(wide)[:1]:
            square, side = found.square, len(face)
            middle = side / 2 + _MARGIN
            lies.append((side / square.side, *((middle - at) / side for at in square[:2])))
    print(f"{len(chips)} chips, a face found in {len(lies) / len(chips):.1%}")
    for name, values in zip(("side", "right", "down"), zip(*lies, strict=True), strict=True):
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        print(f"{name:5}  median {median:.3f}  half within {low:.3f} and {high:.3f}")
    _eyes(chips)


def _eyes(chips: list[Chip]) -> None:
    """Where the eyes are in chips, as OpenCV's cascade of eyes sees them."""
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_eye.xml")
    apart, up = [], []
    for chip in chips:
        gray = cv2.cvtColor(photographs.read(chip.jpeg), cv2.COLOR_RGB2GRAY)
        side = len(gray)
        eyes = cascade.detectMultiScale(gray[: side // 2], 1.1, 5, 0, (side // 6, side // 6))
        if len(eyes) == 2:
            centres = [(x + w / 2, y + h / 2) for x, y, w, h in eyes]
            apart.append(abs(centres[0][0] - centres[1][0]) / side)
            up.append(0.5 - (centres[0][1] + centres[1][1]) / 2 / side)
    print(f"eyes of {len(apart)}: apart {np.median(apart):.3f}, up {np.median(up):.3f}")


def _found(chips: list[Chip], most_tilt: float, model: Path | None) -> None:
    find, seconds, crops, others = faces.haar(), [], [], 0
    cv2.setNumThreads(1)
    for seed, chip in enumerate(chips):
        one = scene(chip, seed, most_tilt)
        started = time.thread_time()
        squares = [faces.chip(face.square) for face in find(one.pixels)]
        seconds.append(time.thread_time() - started)
        hits = [square for square in squares if overlap(square, one.place) > _FOUND_OVERLAP]
        others += len(squares) - len(hits)
        crops.append(photographs.encode(faces.cut(one.pixels, hits[0])) if hits else None)
    share = sum(crop is not None for crop in crops) / len(chips)
    print(f"{len(chips)} pictures of {_WIDTH} x {_HEIGHT}, tilted by up to {most_tilt:g} degrees")
    print(f"faces found {share:.1%}, other finds per picture {others / len(chips):.3f}")
    print(f"CPU time a picture: median {statistics.median(seconds) * 1000:.0f} ms, one thread")
    if model:
        _answers(chips, crops, model)


def _answers(chips: list[Chip], crops: list[bytes | None], model: Path) -> None:
    pairs = [(chip, crop) for chip, crop in zip(chips, crops, strict=True) if crop]
    with connect(model_dir=model) as ask:
        asked = [ask_all(ask, [c.jpeg for c, _ in pairs]), ask_all(ask, [c for _, c in pairs])]
    of_chips, of_crops = ([a for a in some if not isinstance(a, RefusedError)] for some in asked)
    labels = [chip.labels for chip, _ in pairs]
    for name, answers in (("the chip itself", of_chips), ("the found crop", of_crops)):
        errors = [abs(a.age - known.age) for a, known in zip(answers, labels, strict=True)]
        print(
            f"{name}: age MAE {statistics.mean(errors):.2f}, gender {_right(answers, labels):.1%}"
        )
    apart = [abs(a.age - b.age) for a, b in zip(of_chips, of_crops, strict=True)]
    same = [a.gender == b.gender for a, b in zip(of_chips, of_crops, strict=True)]
    middle, alike = statistics.median(apart), statistics.mean(same)
    print(
        f"apart: {statistics.mean(apart):.2f} years, median {middle:.1f}; gender {alike:.1%} same"
    )


def _right(answers: list[Answer], labels: list[logic.Labels]) -> float:
    pairs = zip(answers, labels, strict=True)
    return statistics.mean(a.gender == features.GENDERS[known.gender] for a, known in pairs)


def _memory(scratch: Path, model: Path, most: int) -> None:
    """Peak memory of `agegender predict` on few and on ten times as many of 3 megapixels."""
    blank = Chip(photographs.encode(np.full((200, 200, 3), 128, np.uint8)), logic.Labels(0, 0, 0))
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for i in range(most):
        path = scratch / f"{i:05d}.jpg"
        if i < _DISTINCT:
            path.write_bytes(photographs.encode(scene(blank, i).pixels.repeat(2, 0).repeat(2, 1)))
        else:
            path.symlink_to(f"{i % _DISTINCT:05d}.jpg")
    few, many = (_peak(scratch, count, model) for count in (most // 10, most))
    growth = (many - few) / (most - most // 10) * 1000
    print(f"{most // 10} photographs {few:,.0f} MB, {most} {many:,.0f} MB")
    print(f"{growth:.1f} MB more per 1,000 photographs")


def _peak(scratch: Path, count: int, model: Path) -> float:
    """Of a process that asks about whole pictures: finding faces would only take longer."""
    names = [f"{i:05d}.jpg" for i in range(count)]
    command = [sys.executable, "-m", "pipeline", "predict", *names, "--faces", "whole"]
    told = [*command, "--serving-dir", str(model.resolve().parent)]
    child = subprocess.Popen(told, cwd=scratch, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"agegender predict ended with {status}")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
