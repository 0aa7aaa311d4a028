"""From a file's name and bytes to a face that can be learned from, or the reason it cannot."""

import collections
import contextlib
import hashlib
import heapq
import io
import itertools
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from components.face_example_gen.jpeg import is_plain
from components.face_example_gen.label_file import Table
from components.face_example_gen.labels import NAME_FORM, Labels, parse_name
from components.face_example_gen.policy import DEFAULT_POLICY, Policy
from components.face_example_gen.rejects import BY_CHOICE, Reason, Reject
from components.face_example_gen.sources import list_entries, read_entries
from pipeline.errors import UserError
from schema import features

Pixels = npt.NDArray[np.uint8]  # [height, width, 3], RGB

# Of the files whose names and pixels can be used; a face's split follows from its pixels alone.
SPLIT_FRACTIONS: Mapping[str, float] = dict(
    zip(features.SPLITS, (0.64, 0.08, 0.08, 0.20), strict=True)
)

# In thousandths: luma and Laplacian are then whole numbers, which float32 adds up exactly, so that
# the figures do not depend on the processor.
_LUMA = np.array([299, 587, 114], np.float32)
_BAND_PIXELS = 2**18
# Files handed to a thread at once: a hand-over costs as much as a tenth of a small picture.
_BATCH_FILES = 32
_BATCH_BYTES = 2**20

# Progressive JPEGs have some ten; each costs a pass over all pixels, however few bytes it takes.
_MAX_SCANS = 100
_SCAN = b"\xff\xda"

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_SIGNATURES = re.compile(rb"\xff\xd8\xff|\x89PNG|RIFF....WEBP", re.DOTALL)
_FOREIGN_FORMATS = ("AVIF", "GIF", "ICO", "JPEG2000", "PPM", "PSD", "TIFF")
# Pictures above max_pixels are rejected before they are decoded; the warning says nothing more.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class Picture(NamedTuple):
    """A JPEG as it will be stored, and the pixels every decoder must find in it."""

    jpeg: bytes
    pixels: Pixels


class Face(NamedTuple):
    """One usable input file; see `schema.features` for the meaning and units of the figures."""

    file: str
    labels: Labels
    jpeg: bytes
    image_sha256: str
    width: int
    height: int
    brightness: float
    sharpness: float


class UndecodableError(Exception):
    """These bytes are no picture that can be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def decode(data: bytes, policy: Policy = DEFAULT_POLICY) -> Picture:
    """The JPEG to store for an encoded picture, and its pixels: RGB, upright.

    Plain JPEGs are stored as they are; whatever decoders could differ on (other formats, turned,
    CMYK, odd or damaged JPEGs) is encoded once more, at quality 95 without chroma subsampling.
    Pillow's pixels of what is stored equal `tf.io.decode_jpeg(..., channels=3,
    dct_method="INTEGER_ACCURATE", fancy_upscaling=True)` exactly.

    Raises:
        UndecodableError: with the reason.
    """
    image = _open(data, policy.max_pixels)
    if image.width * image.height > policy.max_pixels:
        detail = f"{_size(image)} pixels; at most {policy.max_pixels:,}"
        raise UndecodableError(Reason.TOO_LARGE, detail)
    if min(image.size) < policy.min_side:
        detail = f"{_size(image)} pixels; at least {policy.min_side} on a side"
        raise UndecodableError(Reason.TOO_SMALL, detail)
    if image.format in ("JPEG", "MPO") and data.count(_SCAN) > _MAX_SCANS:
        raise UndecodableError(Reason.UNREADABLE, f"more than {_MAX_SCANS} scans of its pixels")
    try:
        image.load()
        if _can_be_stored(image, data):
            return Picture(data, np.asarray(image.convert("RGB")))
        jpeg = _encode(_rgb(_upright(image)))
        return Picture(jpeg, np.asarray(Image.open(io.BytesIO(jpeg), formats=("JPEG",))))
    except Exception as error:  # Pillow's plugins raise whatever damaged bytes lead them to
        raise _damaged(data, error) from error


def pixel_sha256(pixels: Pixels) -> str:
    """Hex digest of the pixels and their arrangement, not of the file they came in."""
    height, width, _ = pixels.shape
    digest = hashlib.sha256(f"{height}x{width}:".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def measure(pixels: Pixels) -> tuple[float, float]:
    """Brightness (mean luma, 0 to 1) and sharpness of a picture [height, width, 3].

    Sharpness is log10(1 + v), v the variance of the luma's 4-neighbour Laplacian, in squared grey
    levels (Pech-Pacheco et al., 2000); luma as in ITU-R BT.601. It falls when a picture is enlarged
    and grows with noise. The logarithm is there because v spans four decades: on its own scale,
    nearly all pictures would share one bar of a histogram.
    """
    height, width, _ = pixels.shape
    light = total = total_of_squares = 0.0
    # In bands: a photograph of 12 megapixels would take 300 MB at once, in each thread.
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height - 2, rows):
        luma = pixels[top : top + rows + 2].astype(np.float32) @ _LUMA
        light += float(luma[2 if top else 0 :].sum(dtype=np.float64))
        # In place: every new array of this size costs more than what is done to it.
        laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1]
        laplacian += luma[1:-1, :-2]
        laplacian += luma[1:-1, 2:]
        laplacian -= 4 * luma[1:-1, 1:-1]
        total += float(laplacian.sum(dtype=np.float64))
        total_of_squares += float(np.square(laplacian, dtype=np.float64).sum())
    count = (height - 2) * (width - 2)
    variance = max(0.0, total_of_squares / count - (total / count) ** 2) / 1e6
    return light / 255_000 / height / width, math.log10(1 + variance)


def split_of(pixel_sha256: str, fractions: Mapping[str, float] = SPLIT_FRACTIONS) -> str:
    """The split of a picture, from the hash of its pixels alone: equal pixels share a split.

    `fractions` name the splits in order, and add up to 1.
    """
    position = int(pixel_sha256[:16], 16) / 2**64
    *bounded, last = fractions
    upper_bounds = itertools.accumulate(fractions[split] for split in bounded)
    pairs = zip(bounded, upper_bounds, strict=True)
    return next((split for split, upper in pairs if position < upper), last)


def examine(
    file: str,
    data: bytes | Reject,
    policy: Policy = DEFAULT_POLICY,
    label: Callable[[str], Labels | Reject] = parse_name,
) -> Face | Reject:
    """The face in an input file, or why it cannot be used. Never raises on what a file holds."""
    labels = label(file)
    if isinstance(labels, Reject):
        return labels
    if isinstance(data, Reject):
        return data
    try:
        jpeg, pixels = decode(data, policy)
    except UndecodableError as error:
        return Reject(file, error.reason, error.detail)
    height, width, _ = pixels.shape
    return Face(file, labels, jpeg, pixel_sha256(pixels), width, height, *measure(pixels))


def examine_source(
    uri: str,
    wanted: Callable[[str], bool],
    policy: Policy = DEFAULT_POLICY,
    table: Table | None = None,
) -> Iterator[Face | Reject]:
    """Every `wanted` file of a source, examined, in the source's order.

    Labels are those in `table`, whose `wanted` rows without a picture follow; in names without it.

    Pictures are decoded in as many threads as there are processors, a few at a time: Pillow, zlib
    and hashlib leave the interpreter to the others meanwhile.

    Raises:
        UserError: the source cannot be read to its end, or holds no file.
    """
    threads = len(os.sched_getaffinity(0))
    pending: collections.deque[Future[list[Face | Reject]]] = collections.deque()
    label = table.label if table else parse_name
    seen: set[str] = set()
    entries = read_entries(uri, wanted, policy.max_file_bytes)
    if table:
        entries = _noting(entries, seen)
    with ThreadPoolExecutor(threads) as pool:
        for batch in _batches(entries):
            pending.append(pool.submit(_examine_all, batch, policy, label))
            if len(pending) > 2 * threads:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    if table:
        yield from (reject for reject in table.without_picture(seen) if wanted(reject.file))


def _noting(
    entries: Iterable[tuple[str, bytes | Reject]], seen: set[str]
) -> Iterator[tuple[str, bytes | Reject]]:
    for file, data in entries:
        seen.add(file)
        yield file, data


def _examine_all(
    batch: list[tuple[str, bytes | Reject]],
    policy: Policy,
    label: Callable[[str], Labels | Reject],
) -> list[Face | Reject]:
    return [examine(file, data, policy, label) for file, data in batch]


def _batches(
    entries: Iterable[tuple[str, bytes | Reject]],
) -> Iterator[list[tuple[str, bytes | Reject]]]:
    batch: list[tuple[str, bytes | Reject]] = []
    size = 0
    for file, data in entries:
        batch.append((file, data))
        size += len(data) if isinstance(data, bytes) else 0
        if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def sample_key(file: str) -> tuple[str, str]:
    """Where a file stands in the order that `limit` takes files in: spread over the source.

    By the last part of its name, so that an archive and the folder it came from give the same.
    """
    return hashlib.sha256(_last_part(file).encode()).hexdigest(), file


def last_sample_key(uri: str, limit: int) -> tuple[str, str]:
    """The key of the last of the `limit` files (0: of all) that are used."""
    everything = ("g", "")  # above every hex digest
    if not limit:
        return everything
    keys = heapq.nsmallest(limit, (sample_key(entry.name) for entry in list_entries(uri)))
    return keys[-1]


def nothing_usable(uri: str, reasons: Mapping[Reason, int]) -> UserError:
    """What to raise when no file of a source can be used; `reasons` counts the rejects."""
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    if BY_CHOICE & reasons.keys():
        advice = "balance the data less: raise age_max, max_per_age or the fractions"
    elif Reason.LABEL_CONFLICT in reasons:
        advice = "keep one label per picture, or keep label conflicts"
    elif Reason.NO_LABEL in reasons:
        advice = "paths in the file of labels are relative to the folder or archive"
    elif Reason.BAD_LABEL in reasons:
        advice = "mend the labels: agegender data inspect shows what is wrong with each"
    else:
        advice = f"give pictures (JPEG, PNG, WebP, BMP) named {NAME_FORM}"
    return UserError(f"{uri}: none of its files can be used ({counts}); {advice}")


def _open(data: bytes, max_pixels: int) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise UndecodableError(Reason.TOO_LARGE, f"more than {max_pixels:,} pixels") from error
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Exception as error:  # as in `decode`
        raise _damaged(data, error) from error


def _unidentified(data: bytes) -> UndecodableError:
    if not data:
        return UndecodableError(Reason.TRUNCATED, "the file is empty")
    if _SIGNATURES.match(data):
        return _damaged(data, "its header cannot be read")
    supported = f"not one of {', '.join(_FORMATS)}"
    if data[4:8] == b"ftyp":  # HEIC, which Pillow does not know
        return UndecodableError(Reason.UNSUPPORTED_FORMAT, f"HEIF or AVIF, {supported}")
    with contextlib.suppress(Exception):
        foreign = Image.open(io.BytesIO(data), formats=_FOREIGN_FORMATS)
        return UndecodableError(Reason.UNSUPPORTED_FORMAT, f"{foreign.format}, {supported}")
    return UndecodableError(Reason.NOT_AN_IMAGE, "its content is no picture")


def _damaged(data: bytes, error: object) -> UndecodableError:
    reason = Reason.TRUNCATED if _is_cut_short(data) else Reason.UNREADABLE
    return UndecodableError(reason, str(error) or type(error).__name__)


def _is_cut_short(data: bytes) -> bool:
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in data[-64:]
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-64:]
    if data.startswith(b"RIFF"):
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return len(data) < int.from_bytes(data[2:6], "little")  # BMP


def _can_be_stored(image: Image.Image, data: bytes) -> bool:
    """Whether these bytes are a JPEG that every decoder takes alike, and the right way up."""
    is_jpeg = image.format in ("JPEG", "MPO")  # MPO: a JPEG with more pictures after its end
    is_common = image.mode in ("RGB", "L")
    return is_jpeg and is_common and _orientation(image) == 1 and is_plain(data)


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF data do not say which way is up
        return 1


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image) if _orientation(image) != 1 else image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip it at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def _encode(image: Image.Image) -> bytes:
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=95, subsampling="4:4:4")
    return jpeg.getvalue()


def _size(image: Image.Image) -> str:
    return f"{image.width} x {image.height}"


def _last_part(file: str) -> str:
    return file.rpartition("/")[2]
