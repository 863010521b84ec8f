"""Picture files of any size and kind as pixels of one size."""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cifar.errors import UserError
from cifar.schema import IMAGE_SIZE

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
LIMIT = 89_478_485  # pixels of a picture: the number above which Pillow suspects a decompression bomb
Squared = Callable[[Image.Image], Image.Image]

_SHOWN = 3  # broken pictures that an error names

# `pixels` refuses such pictures itself, with a message.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def listed(folder: Path) -> list[Path]:
    """The pictures below a folder, by their suffixes, sorted; hidden files are none."""
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in paths if path.is_file())


def read(paths: Sequence[Path]) -> np.ndarray:
    """uint8 [N, 32, 32, 3]: each picture is stretched to a square. Raises UserError that names pictures that are
    broken."""
    images, broken = attempted(paths, stretched)
    if broken:
        found = [f"{path} ({reason})" for path, reason in broken.items()]
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UserError(
            f"{len(found)} of {len(paths)} pictures cannot be read: {', '.join(found[:_SHOWN])}{more}. Repair or "
            f"delete them."
        )
    return images


def attempted(paths: Sequence[Path], squared: Squared) -> tuple[np.ndarray, dict[Path, str]]:
    """(uint8 [N, 32, 32, 3], the reason for each picture that cannot be read: its pixels mean nothing). Decoded in
    parallel. `squared`: `stretched` or `cropped`."""
    images = np.empty((len(paths), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)

    def fill(index: int) -> str | None:
        try:
            images[index] = pixels(paths[index], squared)
        except Exception as error:  # Pillow raises what its decoders raise: OSError, SyntaxError, struct.error, …
            return _reason(error)
        return None

    with ThreadPoolExecutor() as threads:  # decoding leaves Python to others
        reasons = threads.map(fill, range(len(paths)))
        return images, {path: reason for path, reason in zip(paths, reasons, strict=True) if reason}


def stretched(image: Image.Image) -> Image.Image:
    """All of the image, as the pictures of data=folder are trained on."""
    return image


def cropped(image: Image.Image) -> Image.Image:
    """The largest square in its middle."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def pixels(path: Path, squared: Squared = stretched) -> np.ndarray:
    """uint8 [32, 32, 3]: turned as the camera says, made square; each pixel is the mean of those it covers, or a copy
    where the picture is smaller. Transparent parts are white.

    Raises ValueError if it has more than LIMIT pixels, and what Pillow raises."""
    with Image.open(path) as image:
        if (count := image.width * image.height) > LIMIT:
            raise ValueError(f"it has {image.width:,} x {image.height:,} pixels, {count:,}; the limit is {LIMIT:,}")
        upright = squared(_rgb(ImageOps.exif_transpose(image)))
    return np.asarray(upright.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX))


def _reason(error: Exception) -> str:
    """One line, without the path, which the caller names."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture of a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would clip it
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are of 32 bits (mode {image.mode}), of no known range")
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
