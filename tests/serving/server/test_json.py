"""TF Serving's JSON: what is asked is understood or refused in its words, whatever the body."""

import base64
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.server import json_answers, json_requests
from serving.server.errors import ServingError


def input_name(signature: str) -> str | None:
    return "image_bytes" if signature == "serving_default" else None


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def ask(body: Any) -> json_requests.Asked:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json_requests.predict_request(raw, input_name)


def refusal(body: Any) -> str:
    with pytest.raises(ServingError) as refused:
        ask(body)
    assert refused.value.code.value[0] == 3
    return refused.value.message


@pytest.mark.parametrize(
    ("body", "by_row"),
    [
        ({"instances": [b64(b"\0x"), "y"]}, True),
        ({"instances": [{"image_bytes": b64(b"\0x")}, {"image_bytes": "y"}]}, True),
        ({"inputs": [b64(b"\0x"), "y"]}, False),
        ({"inputs": {"image_bytes": [b64(b"\0x"), "y"]}, "signature_name": ""}, False),
    ],
)
def test_the_four_ways_to_ask(body: dict[str, Any], by_row: bool) -> None:
    assert ask(body) == ("serving_default", [b"\0x", b"y"], by_row)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"instances = [1, 2]", "JSON Parse error: Invalid value. at offset: 0"),
        (b'{"instances": ["x"]} []', "The document root must not be followed by other values."),
        (b"\xff", "JSON Parse error: UnicodeDecodeError"),
        (b"[" * 100_000, "JSON Parse error: RecursionError"),
        (b"9" * 5000, "JSON Parse error: ValueError"),
        ([1], "JSON Value: [1] Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": ["x"], "inputs": ["x"]}, "expecting only one of 'inputs' or 'instances'"),
        ({"instances": "x"}, "Excepting 'instances' to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"signature_name": 100}, "'signature_name' key must be a string value."),
        (
            {"signature_name": "other", "instances": ["x"]},
            'Serving signature name: "other" not found in signature def',
        ),
        (
            {"instances": [1.5]},
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON Value: 1.5 Type: Number is not of expected type: string",
        ),
        ({"instances": [None]}, "JSON Value: null Type: Null is not of expected type: string"),
        ({"instances": [True]}, "JSON Value: true Type: True is not of expected type: string"),
        (
            {"instances": ["x", {"image_bytes": "x"}]},
            "Expecting value/list but got object at item 1",
        ),
        ({"instances": [{"image_bytes": "x"}, "x"]}, "Expecting object but got list at item 1"),
        ({"instances": [{"x": "y"}]}, "JSON object: does not have named input: x"),
        ({"instances": [{}]}, "JSON object: {} keys must be equal to: image_bytes"),
        (
            {"instances": [{"image_bytes": {"b64": 1}}]},
            'JSON Value: {"b64": 1} not formatted correctly for base64 data',
        ),
        ({"instances": [{"b64": "*"}]}, "Unable to base64 decode"),
        ({"instances": [["x"]]}, "expected shape [-1]"),
        ({"inputs": "x"}, "Tensor image_bytes has shape [], expected [-1]"),
        ({"inputs": {"other": ["x"]}}, "Missing named input: image_bytes in 'inputs' object."),
        ({"instances": ["\ud800"]}, "is not valid Unicode"),
    ],
)
def test_refusals_are_worded_as_tf_servings(body: Any, said: str) -> None:
    assert said in refusal(body)


def test_a_refusal_repeats_little_of_what_was_sent() -> None:
    assert len(refusal({"signature_name": 1, "instances": ["x" * 100_000]})) < 400


@pytest.mark.parametrize("text", ["AAEC", "A AEC\n", "AA EC", "+/8=", "+/8", " + / 8", "AAE "])
def test_base64_may_lack_padding_and_hold_white_space(text: str) -> None:
    compact = "".join(text.split())
    expected = base64.b64decode(compact + "=" * (-len(compact) % 4))
    assert ask({"instances": [{"b64": text}]}).rows == [expected]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.booleans())
def test_any_bytes_arrive_as_they_were_sent(rows: list[bytes], by_row: bool) -> None:
    key = "instances" if by_row else "inputs"
    assert ask({key: [b64(one) for one in rows]}) == ("serving_default", rows, by_row)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["instances", "inputs", "b64", "image_bytes", "signature_name", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(JSON | st.binary(max_size=50))
def test_any_body_is_understood_or_refused(body: Any) -> None:
    code, rows = 0, []
    try:
        rows = ask(body).rows
    except ServingError as refused:
        code = refused.code.value[0]
    assert code in (0, 3)
    assert all(isinstance(row, bytes) for row in rows)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=4))
def test_numbers_read_back_as_the_same_float(values: list[float]) -> None:
    outputs = {"age": np.array(values, np.float32), "b": np.zeros(len(values), np.int64)}
    found = json.loads(json_answers.predict_response(outputs, True))
    assert [np.float32(row["age"]) for row in found["predictions"]] == outputs["age"].tolist()


def test_answers_by_row_and_by_column() -> None:
    two = {
        "age": np.array([0.2, math.inf], np.float32),
        "gender": np.array([b"male", b"female"], object),
    }
    assert json.loads(json_answers.predict_response(two, True)) == {
        "predictions": [{"age": 0.2, "gender": "male"}, {"age": math.inf, "gender": "female"}]
    }
    assert json.loads(json_answers.predict_response(two, False)) == {
        "outputs": {"age": [0.2, math.inf], "gender": ["male", "female"]}
    }
    # One output has no name, and bytes are written as they are sent.
    one = {"raw_bytes": np.array([b"a", b"b"], object)}
    assert json.loads(json_answers.predict_response(one, True)) == {
        "predictions": [b64(b"a"), b64(b"b")]
    }
    assert json.loads(json_answers.predict_response(one, False)) == {
        "outputs": [b64(b"a"), b64(b"b")]
    }
    nested = {"pixels": np.array([[b"\xff", b"x"]], object)}
    assert json.loads(json_answers.predict_response(nested, True)) == {
        "predictions": [[b64(b"\xff"), "x"]]
    }
