"""Which operations of a TensorFlow Lite model are its trunks: what int8 costs little in.

A trunk begins at a model's first convolution and ends at its heads, which are its first fully
connected operations.
"""

from collections.abc import Callable

from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_CONVOLUTIONS = frozenset(
    {schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D}
)
_HEADS = frozenset({schema.BuiltinOperator.FULLY_CONNECTED})


def outside(content: bytes) -> list[str]:
    """The names of what the operations outside the trunks put out.

    Args:
      content: of a float32 .tflite file of one graph.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    (graph,) = model.subgraphs
    kinds = [model.operatorCodes[one.opcodeIndex].builtinCode for one in graph.operators]
    trunk = _reached(graph, lambda place: kinds[place] in _CONVOLUTIONS)
    beyond = _reached(graph, lambda place: kinds[place] in _HEADS)
    return [
        graph.tensors[tensor].name.decode()
        for place, operator in enumerate(graph.operators)
        if place not in trunk or place in beyond
        for tensor in operator.outputs
    ]


def _reached(graph: schema.SubGraphT, starts: Callable[[int], bool]) -> set[int]:
    """The places of operations that start, and of all that are fed by one of them."""
    found: set[int] = set()
    tensors: set[int] = set()
    for place, operator in enumerate(graph.operators):  # in the order they run
        if starts(place) or not tensors.isdisjoint(operator.inputs):
            found.add(place)
            tensors.update(operator.outputs)
    return found
