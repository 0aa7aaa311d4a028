"""From a file's bytes to upright RGB pixels, or one line that says why not."""

import io
import warnings
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

Pixels = npt.NDArray[np.uint8]  # [height, width, 3], RGB

# What ingestion takes at most, so that a picture fit for training is fit for asking.
MAX_FILE_BYTES: Final = 32 * 2**20
MAX_PIXELS: Final = 50_000_000
MAX_SIDE: Final = 30_000  # OpenCV's warps address pixels with 16 bits

_QUALITY: Final = 95
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

# What Pillow warns of (too many pixels, damaged metadata) is refused here, or does no harm.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class PhotographError(ValueError):
    """These bytes are no picture that can be used; the message is one line."""


def read(data: bytes) -> Pixels:
    """The pixels of an encoded picture, uint8 [height, width, 3]: RGB, upright by its EXIF.

    Of an animation the first frame; transparency on white; 16-bit grey by its upper 8 bits.

    Raises:
      PhotographError: with what is wrong and the remedy.
    """
    image = _open(data)
    try:
        return np.asarray(_rgb(_upright(image)))
    except Exception as error:  # Pillow's plugins raise whatever damaged bytes lead them to
        raise PhotographError(f"damaged or cut short ({_words(error)})") from error


def encode(pixels: Pixels) -> bytes:
    """A JPEG as ingestion writes what it must encode anew."""
    jpeg = io.BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG", quality=_QUALITY, subsampling="4:4:4")
    return jpeg.getvalue()


def is_sent_as_it_is(data: bytes, most_bytes: int) -> bool:
    """Whether a picture that `read` could read is a small upright JPEG, as the model was fed."""
    if len(data) > most_bytes:
        return False
    image = Image.open(io.BytesIO(data))
    return image.format == "JPEG" and image.mode in ("RGB", "L") and _orientation(image) == 1


def _open(data: bytes) -> Image.Image:
    if not data:
        raise PhotographError("the file is empty")
    if len(data) > MAX_FILE_BYTES:
        raise PhotographError(f"more than {MAX_FILE_BYTES:,} bytes; make it smaller")
    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise PhotographError(_unknown(data)) from error
    except Image.DecompressionBombError as error:
        most = f"far more pixels than the {MAX_PIXELS:,} that are taken"
        raise PhotographError(f"{most}; make it smaller") from error
    except Exception as error:  # as in `read`
        raise PhotographError(f"cannot be opened ({_words(error)})") from error
    width, height = image.size
    if width * height > MAX_PIXELS or max(image.size) > MAX_SIDE:
        limits = f"at most {MAX_PIXELS:,}, {MAX_SIDE:,} on a side; make it smaller"
        raise PhotographError(f"{width} x {height} pixels; {limits}")
    return image


def _unknown(data: bytes) -> str:
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return "HEIC is not supported; convert it to JPEG"
    return "not a picture, or of a kind that is not supported; give JPEG, PNG, WebP, BMP or GIF"


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF data do not say which way is up
        return 1


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image) if _orientation(image) != 1 else image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow would clip 16-bit grey at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
