"""Whether a JPEG is so plain that every decoder must give the same pixels."""

import re

# A marker in entropy-coded data: FF, but neither a stuffed byte nor a restart marker.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_SOF_BASELINE, _SOF_PROGRESSIVE, _SOS, _EOI = 0xC0, 0xC2, 0xDA, 0xD9
_PASSED_OVER = {0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}  # tables, comment, application data
_ALL_COEFFICIENTS = (1 << 64) - 1


def is_plain(data: bytes) -> bool:
    """True for a whole baseline, or complete progressive, Huffman-coded JPEG.

    Decoders part ways on the rest: Pillow accepts some files with a damaged marker that TensorFlow
    refuses, and a progressive file without all its scans is smoothed differently by different
    versions of libjpeg-turbo. Markers and headers as in ITU-T T.81, annex B.
    """
    try:
        return _is_plain(data)
    except IndexError:  # the data, or a header in it, ends too early
        return False


def _is_plain(data: bytes) -> bool:
    frame = 0
    missing: dict[int, int] = {}  # per component, a bit for each coefficient not yet exact
    at = 2
    while data[at] == 0xFF and (marker := data[at + 1]) != _EOI:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker in (_SOF_BASELINE, _SOF_PROGRESSIVE) and not frame:
            frame = marker
            missing = {body[6 + 3 * i]: _ALL_COEFFICIENTS for i in range(body[5])}
        elif marker == _SOS and frame:
            given = _exact_coefficients(body) if frame == _SOF_PROGRESSIVE else _ALL_COEFFICIENTS
            for i in range(body[0]):
                missing[body[1 + 2 * i]] = missing.get(body[1 + 2 * i], 0) & ~given
            end = _MARKER.search(data, at)
            if end is None:
                return False
            at = end.start()
        elif marker not in _PASSED_OVER:
            return False
    return data[at] == 0xFF and frame != 0 and not any(missing.values())


def _exact_coefficients(scan_header: bytes) -> int:
    """A bit for each coefficient that this progressive scan gives down to its lowest bit."""
    start = 1 + 2 * scan_header[0]
    first, last, approximation = (scan_header[start + i] for i in range(3))
    exact = approximation & 0x0F == 0
    return ((1 << (last + 1)) - (1 << first)) & _ALL_COEFFICIENTS if exact and first <= last else 0
