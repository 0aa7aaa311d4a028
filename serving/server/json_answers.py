"""TF Serving's JSON: how answers and refusals are written."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.server.model import Outputs


def predict_response(outputs: Outputs, by_row: bool) -> bytes:
    """The body of an answer: "predictions" by row, "outputs" by column.

    Numbers are the shortest decimals that read back as the same float32.
    """
    columns = {name: _column(name, outputs[name]) for name in sorted(outputs)}
    only = next(iter(columns.values())) if len(columns) == 1 else None
    if not by_row:
        return _dumped({"outputs": columns if only is None else only})
    rows = (
        [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        if only is None
        else only
    )
    return _dumped({"predictions": rows})


def error_body(message: str) -> bytes:
    """The body of a refusal."""
    return _dumped({"error": message})


def _column(name: str, values: np.ndarray) -> list[Any]:
    if values.dtype == np.float32:
        return _decimals(values)
    if values.dtype == object:
        return _texts(values.tolist(), name.endswith("_bytes"))
    return values.tolist()


def _decimals(values: np.ndarray) -> list[Any]:
    if values.ndim > 1:
        return [_decimals(one) for one in values]
    return [float(str(one)) for one in values]


def _texts(values: Sequence[Any], as_bytes: bool) -> list[Any]:
    return [
        _texts(one, as_bytes) if isinstance(one, list) else _text(one, as_bytes) for one in values
    ]


def _text(value: bytes, as_bytes: bool) -> Any:
    """A string; as base64 where the output's name says so, or it would not be JSON."""
    if not as_bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    return {"b64": base64.b64encode(value).decode()}


def _dumped(value: Any) -> bytes:
    return json.dumps(value, indent=4).encode()
