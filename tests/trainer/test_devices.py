import pytest
import tensorflow as tf

from trainer import devices


@pytest.mark.parametrize(
    ("flags", "capability", "expected"),
    [
        ({"avx2", "avx512_bf16"}, None, "float32"),
        ({"amx_bf16", "amx_tile"}, None, "mixed_bfloat16"),
        (set(), (6, 1), "float32"),
        (set(), (7, 5), "mixed_float16"),
    ],
)
def test_auto_is_what_the_device_does_fastest(
    monkeypatch: pytest.MonkeyPatch,
    flags: set[str],
    capability: tuple[int, int] | None,
    expected: str,
) -> None:
    gpus = ["a GPU"] if capability else []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: gpus)
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda _: {"compute_capability": capability},
    )
    monkeypatch.setattr(devices, "_cpu_flags", lambda: flags)
    assert devices.policy("auto") == expected


def test_a_wanted_precision_is_kept() -> None:
    assert devices.policy("mixed_bfloat16") == "mixed_bfloat16"
