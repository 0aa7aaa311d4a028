"""The REST API as OpenAPI 3.1 describes it."""

from typing import Any, Final

from schema import features

_STRING: Final = {"type": "string"}
_BYTES: Final = {
    "type": "object",
    "description": "A picture (JPEG, PNG or GIF), its bytes as base64.",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["b64"],
    "additionalProperties": False,
}
_PICTURE: Final = {"anyOf": [{"$ref": "#/components/schemas/Bytes"}, _STRING]}
_ANSWER: Final = {
    "type": "object",
    "description": "With the default signature: about one face. Ages are years.",
    "properties": {
        features.OUT_AGE: {"type": "number"},
        features.OUT_AGE_LOW: {"type": "number"},
        features.OUT_AGE_HIGH: {"type": "number"},
        features.OUT_FEMALE_PROBABILITY: {"type": "number"},
        features.OUT_GENDER: _STRING,
        features.OUT_AGE_GROUP: _STRING,
    },
}
_REQUEST: Final = {
    "type": "object",
    "properties": {
        "signature_name": {"type": "string", "default": "serving_default"},
        "instances": {
            "description": "By row: pictures, or objects with one under the input's name.",
            "type": "array",
            "minItems": 1,
        },
        "inputs": {
            "description": "By column: a list of pictures, or an object with it.",
            "type": ["array", "object"],
        },
    },
    "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
}
_REFUSALS: Final = {
    400: "The request is wrong; the message says how.",
    404: "No such model or version.",
    413: "The body is too large.",
    429: "Too much at once: try again later.",
    500: "A defect of the model or the server.",
    503: "The server is stopping.",
    504: "It took too long.",
}
_EXAMPLE: Final = {"instances": [{"b64": "..."}]}


def description(model: str) -> dict[str, Any]:
    """The document.

    Args:
      model: the name of the model that is served, which examples show.
    """
    paths: dict[str, Any] = {}
    for suffix, parameters in _WHICH.items():
        which = {"parameters": [_parameter("model", _STRING, model), *parameters]}
        path = "/v1/models/{model}" + suffix
        paths[path] = which | {"get": _get("The states of the versions", "Status")}
        paths[path + "/metadata"] = which | {"get": _get("What a version takes", "Metadata")}
        paths[path + ":predict"] = which | {"post": _PREDICT}
        for method in ("classify", "regress"):
            paths[f"{path}:{method}"] = which | {"post": _refused(method)}
    paths["/healthz"] = {"get": _plain("Whether it runs", {200})}
    paths["/readyz"] = {"get": _plain("Whether requests should come here", {200, 503})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "agegender: TensorFlow Serving's REST API", "version": "1"},
        "paths": paths,
        "components": {"schemas": _SCHEMAS},
    }


def _parameter(name: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


_WHICH: Final = {
    "": [],
    "/versions/{version}": [_parameter("version", {"type": "integer", "minimum": 0}, 1)],
    "/labels/{label}": [_parameter("label", _STRING, "stable")],
}


def _response(text: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": content}


def _refusals(*codes: int) -> dict[str, Any]:
    return {str(code): _response(_REFUSALS[code], "Error") for code in codes}


def _get(summary: str, schema: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": _response("As asked.", schema), **_refusals(400, 404, 500)},
    }


def _refused(method: str) -> dict[str, Any]:
    return {
        "summary": f"Refused: no signature can {method}",
        "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": _refusals(400, 404, 413, 429, 500, 503, 504),
    }


def _plain(summary: str, codes: set[int]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object", "required": ["status"]}}}
    answers = {str(code): {"description": "As asked.", "content": content} for code in codes}
    return {"summary": summary, "responses": answers}


_PREDICT: Final = {
    "summary": "Ages and genders of faces",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/PredictRequest"},
                "example": _EXAMPLE,
            }
        },
    },
    "responses": {
        "200": _response("An answer per picture.", "PredictResponse"),
        **_refusals(400, 404, 413, 429, 500, 503, 504),
    },
}
_SCHEMAS: Final[dict[str, Any]] = {
    "Bytes": _BYTES,
    "Picture": _PICTURE,
    "Answer": _ANSWER,
    "PredictRequest": _REQUEST,
    "PredictResponse": {
        "oneOf": [
            {
                "type": "object",
                "required": ["predictions"],
                "properties": {"predictions": {"type": "array"}},
            },
            {"type": "object", "required": ["outputs"]},
        ]
    },
    "Status": {
        "type": "object",
        "required": ["model_version_status"],
        "properties": {
            "model_version_status": {
                "type": "array",
                "items": {"type": "object", "required": ["version", "state", "status"]},
            }
        },
    },
    "Metadata": {"type": "object", "required": ["model_spec", "metadata"]},
    "Error": {"type": "object", "required": ["error"], "properties": {"error": _STRING}},
}
