"""What a request can be refused with: TF Serving's codes over gRPC, and what they are over REST."""

from typing import Final

import grpc

# As TF Serving's http_server.cc maps them; codes it answers 500 for are left out.
HTTP_STATUS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}


class ServingError(Exception):
    """A refusal: its code, and a message for whoever asked."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TooLargeError(ServingError):
    """The body is larger than the limit; over REST it is 413."""

    def __init__(self, limit: int) -> None:
        message = f"The body is larger than {limit} bytes"
        super().__init__(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def invalid(message: str) -> ServingError:
    """The request is wrong, and would be at any other time."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def of_number(number: int, message: str) -> ServingError:
    """A refusal with one of TensorFlow's codes, whose numbers are gRPC's."""
    return ServingError(_BY_NUMBER.get(number, grpc.StatusCode.UNKNOWN), message)
