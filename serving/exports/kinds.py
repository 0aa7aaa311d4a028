"""What can be exported to; free of TensorFlow, so that the command loads fast."""

from typing import Literal

Format = Literal["tflite", "keras"]
# What weights become; a Keras file keeps float32.
Quantize = Literal["float32", "float16", "int8"]
