"""TF Serving's JSON: what a body asks.

Rules and wording of refusals are those of TF Serving's json_tensor.cc, for signatures that take one
string per picture.
"""

import base64
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from serving.server.errors import ServingError, invalid
from serving.server.model import DEFAULT_SIGNATURE

_ECHOED = 200  # characters of a wrong value
_TYPES: Final = {str: "String", list: "Array", dict: "Object", type(None): "Null"}
_RAPIDJSON: Final = {
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Extra data": "The document root must not be followed by other values.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
}


class Asked(NamedTuple):
    """A body of :predict; `by_row` where it says "instances"."""

    signature: str
    rows: list[bytes]
    by_row: bool


def parse(body: bytes) -> dict[str, Any]:
    """A body's JSON object.

    Raises:
      ServingError: INVALID_ARGUMENT when it is none.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        found = json.loads(body.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        said = _RAPIDJSON.get(error.msg, "Invalid value.")
        raise invalid(f"JSON Parse error: {said} at offset: {error.pos}") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, a number of 4,300 digits, depth
        raise invalid(f"JSON Parse error: {type(error).__name__}: {str(error)[:_ECHOED]}") from None
    if not isinstance(found, dict):
        raise invalid(f"JSON Value: {_shown(found)} Is not object")
    return found


def signature_of(asked: dict[str, Any]) -> str:
    """The signature a body names, the default one if it names none.

    Raises:
      ServingError: INVALID_ARGUMENT when its name is no string.
    """
    name = asked.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_shown(asked)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name or DEFAULT_SIGNATURE


def predict_request(body: bytes, input_name: Callable[[str], str | None]) -> Asked:
    """What a body of :predict asks.

    Args:
      body: as it came.
      input_name: from a signature's name to the name of its input, None where there is none.

    Raises:
      ServingError: INVALID_ARGUMENT for whatever TF Serving refuses.
    """
    asked = parse(body)
    signature = signature_of(asked)
    name = input_name(signature)
    if name is None:
        raise invalid(f'Serving signature name: "{signature}" not found in signature def')
    if "instances" in asked and "inputs" in asked:
        raise invalid(
            f"JSON Value: {_shown(asked)} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if "instances" in asked:
        return Asked(signature, _by_row(asked, name), True)
    if "inputs" in asked:
        return Asked(signature, _by_column(asked["inputs"], name), False)
    raise invalid("Missing 'inputs' or 'instances' key")


def refused_examples(body: bytes, kind: str) -> str:
    """The signature that a body of :classify or :regress names.

    Raises:
      ServingError: INVALID_ARGUMENT when it holds no examples.
    """
    asked = parse(body)
    signature = signature_of(asked)
    examples = asked.get("examples")
    if "examples" not in asked:
        raise invalid(
            f"JSON Value: {_shown(asked)} When method is {kind}, key 'examples' is expected and "
            "was not found"
        )
    if not isinstance(examples, list):
        raise invalid(f"JSON Value: {_shown(asked)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"JSON Value: {_shown(asked)} 'examples' value is an empty array")
    return signature


def _by_row(asked: dict[str, Any], name: str) -> list[bytes]:
    instances = asked["instances"]
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {_shown(asked)} Excepting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {_shown(asked)} No values in 'instances' array")
    named = _is_object(instances[0])
    rows = []
    for i, one in enumerate(instances):
        if _is_object(one) != named:
            expected, got = ("object", "list") if named else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {got} at item {i} of input list")
        value = _named(one, name, i) if named else one
        where = f"Failed to process element: {i} key: {name} of 'instances' list. Error: "
        try:
            rows.append(_bytes(value, name))
        except ServingError as error:
            raise invalid(f"{where if named else _element(i)}INVALID_ARGUMENT: {error}") from None
    return rows


def _element(i: int) -> str:
    return f"Failed to process element: {i} of 'instances' list. Error: "


def _named(instance: dict[str, Any], name: str, i: int) -> Any:
    for key in instance:
        if key != name:
            raise invalid(
                f"Failed to process element: {i} key: {key[:_ECHOED]} of 'instances' list. Error: "
                f"INVALID_ARGUMENT: JSON object: does not have named input: {key[:_ECHOED]}"
            )
    if not instance:
        raise invalid(
            f"Failed to process element: {i} of 'instances' list. JSON object: {{}} keys must be "
            f"equal to: {name}"
        )
    return instance[name]


def _by_column(inputs: Any, name: str) -> list[bytes]:
    if _is_object(inputs):
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        inputs = inputs[name]
    if not isinstance(inputs, list):
        _bytes(inputs, name)  # what is wrong with the value comes first
        raise invalid(f"Tensor {name} has shape [], expected [-1]")
    return [_bytes(one, name) for one in inputs]


def _is_object(value: Any) -> bool:
    """Whether it holds named tensors, unlike {"b64": ...}, which is a string."""
    return isinstance(value, dict) and not (len(value) == 1 and isinstance(value.get("b64"), str))


def _bytes(value: Any, name: str) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise invalid(f"JSON Value: {_shown(value)} is not valid Unicode") from None
    if isinstance(value, list):
        raise invalid(f"Tensor {name} has a row that is a list, expected shape [-1]")
    if not isinstance(value, dict):
        kind = _TYPES.get(type(value), str(value) if isinstance(value, bool) else "Number")
        raise invalid(f"JSON Value: {_shown(value)} Type: {kind} is not of expected type: string")
    if _is_object(value):
        raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
    return _unbase64(value["b64"])


def _unbase64(text: str) -> bytes:
    """As absl::Base64Unescape: white space is skipped, padding may be missing."""
    with suppress(ValueError):
        return base64.b64decode(text, validate=True)
    compact = re.sub(r"\s", "", text)
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except ValueError:
        raise invalid("Unable to base64 decode") from None


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _ECHOED else text[:_ECHOED] + "..."
