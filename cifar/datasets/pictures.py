"""Picture files of any size and kind as pixels of one size."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cifar.errors import UserError
from cifar.schema import IMAGE_SIZE

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_SHOWN = 3  # broken pictures that an error names


def listed(folder: Path) -> list[Path]:
    """The pictures below a folder, by their suffixes, sorted; hidden files are none."""
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in paths if path.is_file())


def read(paths: Sequence[Path]) -> np.ndarray:
    """uint8 [N, 32, 32, 3]. Raises UserError that names pictures that are broken."""
    images = np.empty((len(paths), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)

    def fill(index: int) -> str | None:
        try:
            images[index] = pixels(paths[index])
        except Exception as error:  # Pillow raises what its decoders raise: OSError, SyntaxError, struct.error, …
            return f"{paths[index]} ({error})"
        return None

    with ThreadPoolExecutor() as threads:  # decoding leaves Python to others
        broken = [found for found in threads.map(fill, range(len(paths))) if found]
    if broken:
        more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise UserError(
            f"{len(broken)} of {len(paths)} pictures cannot be read: {', '.join(broken[:_SHOWN])}{more}. Repair or "
            f"delete them."
        )
    return images


def pixels(path: Path) -> np.ndarray:
    """uint8 [32, 32, 3]: turned as the camera says, stretched to a square; each pixel is the mean of those it covers,
    or a copy where the picture is smaller. Transparent parts are white."""
    with Image.open(path) as image:
        upright = _rgb(ImageOps.exif_transpose(image))
    return np.asarray(upright.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would clip it
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are of 32 bits (mode {image.mode}), of no known range")
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
