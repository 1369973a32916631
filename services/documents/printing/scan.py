"""Finding the two-dimensional code on a scan or photograph of a printed document.

zxing-cpp reads an upright, sharp code at once. Paper lies askew and cheap scanners are coarse, so where that
fails the densest part of the image is cut out, turned and enlarged step by step. All of it is bounded: pixels
before decoding, the number of attempts, and the time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import zxingcpp
from PIL import Image, ImageOps

from services.documents.printing.code import Code, decode_payload
from services.documents.printing.errors import CodeError, PictureError
from services.documents.printing.picture import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


MAX_IMAGE_BYTES = 40_000_000
# A4 at 600 dpi is 35 million pixels; so are the larger photographs of telephones.
MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
# Longer sides are reduced: 300 dpi on A4 is all that the code needs.
LONGEST_SIDE = 3600
SECONDS = 5.0
# Degrees of skew that are looked for; zxing finds 90°, 180° and 270° by itself.
STEEPEST = 24
# Degrees around the estimated skew, and enlargements, that are tried.
NEAR = (0.0, -0.7, 0.7, -1.5, 1.5, -3.0, 3.0)
SCALES = (1.0, 1.5, 2.0, 3.0)
PDF417 = zxingcpp.barcode_formats_from_str("PDF417")
BINARIZERS = (zxingcpp.Binarizer.LocalAverage, zxingcpp.Binarizer.GlobalHistogram)


def find_in_image(image: bytes, seconds: float = SECONDS) -> Code | None:
    """The code on a scan or photograph, or None.

    Raises PictureError for what is no image or has more than MAX_PIXELS (before it is decoded). Gives up
    after about `seconds`.
    """
    if len(image) > MAX_IMAGE_BYTES:
        raise PictureError("PICTURE_TOO_LARGE", "图片文件过大。", "The image file is too large.")
    picture = opened(image, MAX_PIXELS, FORMATS)
    return _find(_grey(ImageOps.exif_transpose(picture)), time.monotonic() + seconds)


def _grey(picture: Image.Image) -> Image.Image:
    """Grey on white, with full contrast and of bounded size."""
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    if picture.mode.startswith("I;16") or picture.mode in {"I", "F"}:
        values = np.asarray(picture, dtype=np.float64)
        span = float(np.ptp(values)) or 1.0
        picture = Image.fromarray(((values - values.min()) / span * 255).astype(np.uint8))
    grey = picture.convert("L")
    grey.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return ImageOps.autocontrast(grey, cutoff=1)


def _find(grey: Image.Image, deadline: float) -> Code | None:
    for attempt, binarizer in _attempts(grey):
        for barcode in zxingcpp.read_barcodes(np.asarray(attempt), formats=PDF417, binarizer=binarizer):
            try:
                return decode_payload(bytes(barcode.bytes))
            except CodeError:
                # Another code of the same kind, such as a parcel label in the picture.
                continue
        if time.monotonic() > deadline:
            return None
    return None


def _attempts(grey: Image.Image) -> Iterator[tuple[Image.Image, zxingcpp.Binarizer]]:
    """Images to try, cheap and likely ones first."""
    for binarizer in BINARIZERS:
        yield grey, binarizer
    part = grey.crop(_densest(grey))
    skew = _skew(part)
    for near in NEAR:
        for scale in SCALES:
            size = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
            if max(size) > 2 * LONGEST_SIDE:
                continue
            larger = part.resize(size, Image.Resampling.BICUBIC)
            for binarizer in BINARIZERS:
                yield _turned(larger, skew + near), binarizer
    # The densest part was something else, perhaps: the whole, turned.
    for angle in (skew, -6.0, -3.0, 3.0, 6.0):
        yield _turned(grey, angle), BINARIZERS[0]


def _turned(picture: Image.Image, angle: float) -> Image.Image:
    return picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def _skew(part: Image.Image) -> float:
    """The angle that makes the code upright: there its bars add up to the sharpest profile."""
    small = part.copy()
    small.thumbnail((500, 500), Image.Resampling.BOX)

    def sharpness(angle: float) -> float:
        pixels = np.asarray(small.rotate(angle, Image.Resampling.BILINEAR, fillcolor=255), dtype=np.float64)
        return max(float(np.abs(np.diff(pixels.mean(axis=axis))).sum()) for axis in (0, 1))

    return max(map(float, range(-STEEPEST, STEEPEST + 1)), key=sharpness)


def _densest(grey: Image.Image) -> tuple[int, int, int, int]:
    """The box around the part with the most black-white edges: bars are far denser than text."""
    pixels = np.asarray(grey, dtype=np.int16)
    cell = max(8, max(pixels.shape) // 100)
    rows, columns = pixels.shape[0] // cell, pixels.shape[1] // cell
    if rows < 3 or columns < 3:
        return (0, 0, grey.width, grey.height)
    edges = np.zeros(pixels.shape, dtype=np.int16)
    edges[:, 1:] += np.abs(np.diff(pixels, axis=1))
    edges[1:, :] += np.abs(np.diff(pixels, axis=0))
    cells = edges[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).mean(axis=(1, 3))
    # A mean over 3 × 3 cells closes holes between bars and drowns single lines.
    padded = np.pad(cells, 1, mode="edge")
    around = [padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    smooth = np.mean(around, axis=0)
    densest = divmod(int(smooth.argmax()), columns)
    top, left, bottom, right = _region(smooth > smooth.max() * 0.5, densest)
    margin = 3
    return (
        max(0, (left - margin) * cell),
        max(0, (top - margin) * cell),
        min(grey.width, (right + margin + 1) * cell),
        min(grey.height, (bottom + margin + 1) * cell),
    )


def _region(mask: NDArray[np.bool_], start: tuple[int, int]) -> tuple[int, int, int, int]:
    """Bounding box (top, left, bottom, right) of the cells of `mask` connected with `start`."""
    todo = [start]
    seen = {start}
    while todo:
        y, x = todo.pop()
        for cell in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = 0 <= cell[0] < mask.shape[0] and 0 <= cell[1] < mask.shape[1]
            if inside and cell not in seen and mask[cell]:
                seen.add(cell)
                todo.append(cell)
    ys, xs = [y for y, _ in seen], [x for _, x in seen]
    return min(ys), min(xs), max(ys), max(xs)
