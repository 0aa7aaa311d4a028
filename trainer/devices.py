"""What training runs on: memory growth, one device or many, and in which precision."""

import re
from pathlib import Path

import tensorflow as tf

from trainer.hyperparameters import Precision


def strategy() -> tf.distribute.Strategy:
    """MirroredStrategy where there is more than one GPU, otherwise the default one."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


def policy(precision: Precision) -> str:
    """The Keras dtype policy for a wanted precision.

    `auto` is mixed_float16 on GPUs with tensor cores (compute capability 7 and up), mixed_bfloat16
    on CPUs with AMX, float32 elsewhere: AVX512-BF16 alone was measured slower than float32 on
    these models (docs/performance.md).
    """
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
        return "mixed_float16" if capability and capability >= (7, 0) else "float32"
    return "mixed_bfloat16" if "amx_bf16" in _cpu_flags() else "float32"


def _cpu_flags() -> set[str]:
    """The flags Linux lists for the first CPU; empty where it lists none."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^flags\s*:(.*)$", info.read_text(), re.M) if info.exists() else None
    return set(found.group(1).split()) if found else set()
