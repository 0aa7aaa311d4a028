"""The plain way to serve a Keras model: a Flask route that decodes one picture and calls predict.

Usage: python -m benchmarks.serving_plain MODEL_RUN PORT
MODEL_RUN is a Trainer's `model_run` folder.
"""

import base64
import sys
from pathlib import Path
from typing import Any

from pipeline import quiet

quiet.prepare_environment()

import flask  # noqa: E402
import numpy as np  # noqa: E402

from schema import features  # noqa: E402
from trainer import runs  # noqa: E402
from trainer.preprocessing import decode_and_resize  # noqa: E402


def application(model_run: Path) -> flask.Flask:
    """Answers POST /predict with the age and P(female) of the one picture in its body."""
    run = runs.read(model_run)
    if run.figures["mirror"] or run.calibration.gender is None:
        raise SystemExit(f"{model_run}: choose a model that answers both, without mirror images")
    temperature, size = run.calibration.gender.temperature, run.figures["store_size"]
    blank = np.zeros((1, size, size, 3), np.float32)
    run.model.predict(blank, verbose=0)  # traced before threads ask at once
    app = flask.Flask(__name__)

    @app.post("/predict")
    def predict() -> dict[str, Any]:
        body = flask.request.get_json()
        picture = decode_and_resize(base64.b64decode(body["b64"]), size)
        logits = run.model.predict(picture.numpy()[None].astype(np.float32), verbose=0)
        age, gender = logits[features.AGE][0], logits[features.GENDER][0, 0]
        shares = np.exp(age - age.max())
        median = np.searchsorted(np.cumsum(shares / shares.sum()), 0.5)
        female = 1 / (1 + np.exp(-gender / temperature))
        return {features.OUT_AGE: int(median), features.OUT_FEMALE_PROBABILITY: float(female)}

    return app


if __name__ == "__main__":
    application(Path(sys.argv[1])).run("127.0.0.1", int(sys.argv[2]), threaded=True)
