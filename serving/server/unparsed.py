"""Bytes that are no message get gRPC's own answer, and not a stack trace in the log."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError


class UnparsedInterceptor(grpc.aio.ServerInterceptor):
    """Answers INTERNAL, as gRPC's C++ servers do; grpc.aio would answer UNKNOWN and log it."""

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        handler_call_details: Any,
    ) -> Any:
        """Wraps a method that takes one request and gives one answer."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        parse, answer = handler.request_deserializer, handler.unary_unary

        def parsed(raw: bytes) -> Any:
            try:
                return parse(raw)
            except DecodeError:
                return None

        async def answered(request: Any, context: grpc.aio.ServicerContext) -> Any:
            if request is None:
                await context.abort(grpc.StatusCode.INTERNAL, "Unable to parse request")
            return await answer(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answered,
            request_deserializer=parsed,
            response_serializer=handler.response_serializer,
        )
