"""Images on the page: the two-dimensional code drawn as PDF417, and seals let in safely."""

from __future__ import annotations

import base64
import io
import re
import warnings
from dataclasses import dataclass

import numpy as np
import zxingcpp
from PIL import Image

from services.documents.printing.code import MAX_BYTES
from services.documents.printing.errors import CodeError, PictureError

# One production generator writes level 3 and 8 columns (standards.md §3).
ERROR_LEVEL = 3
COLUMNS = 8
MAX_COLUMNS = 18
# Width of the narrowest bar, mm: two pixels of a scan at 150 dpi.
MODULE = 0.33
MAX_SEAL_PIXELS = 4_000_000
# Bytes of a decoded picture: A4 at 600 dpi in colour is 105 million.
MAX_DECODED = 120_000_000


@dataclass(frozen=True)
class Drawing:
    """A code as SVG, with the size in mm at which it is to be printed, quiet zone included."""

    svg: str
    width: float
    height: float


def draw(payload: str, max_height: float = 26.0) -> Drawing:
    """The payload as PDF417 of level 3: 8 columns, more when it would be higher than `max_height` mm.

    Raises CodeError when the payload does not fit into MAX_COLUMNS columns of that height.
    """
    content = payload.encode("gb18030")
    if len(content) <= MAX_BYTES:
        for columns in range(COLUMNS, MAX_COLUMNS + 1):
            try:
                barcode = zxingcpp.create_barcode(
                    content, zxingcpp.BarcodeFormat.PDF417, ec_level=ERROR_LEVEL, columns=columns
                )
            except ValueError:
                # Too much for this many columns of at most 90 rows.
                continue
            height, width = barcode.to_image(scale=1).shape
            if height * MODULE <= max_height:
                return Drawing(_bare(barcode.to_svg(scale=1)), width * MODULE, height * MODULE)
    raise CodeError("CODE_TOO_LONG", "内容过长，无法生成二维条码。", "The payload is too long for a code.")


def png(payload: str, scale: int = 4) -> bytes:
    """The payload as a grey PNG with `scale` pixels a module, for screens and label printers."""
    barcode = zxingcpp.create_barcode(
        payload.encode("gb18030"), zxingcpp.BarcodeFormat.PDF417, ec_level=ERROR_LEVEL, columns=COLUMNS
    )
    out = io.BytesIO()
    Image.fromarray(np.asarray(barcode.to_image(scale=scale))).save(out, "PNG")
    return out.getvalue()


def wrapped(image: bytes) -> str:
    """A seal's PNG or JPEG as SVG, the form in which the template can take an image without a file.

    It is decoded and written anew, so nothing but its pixels reaches the page. Raises PictureError.
    """
    pixels = opened(image, MAX_SEAL_PIXELS, ("PNG", "JPEG")).convert("RGBA")
    out = io.BytesIO()
    pixels.save(out, "PNG")
    data = base64.b64encode(out.getvalue()).decode()
    w, h = pixels.size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{w}"'
        f' height="{h}" viewBox="0 0 {w} {h}"><image width="{w}" height="{h}"'
        f' xlink:href="data:image/png;base64,{data}"/></svg>'
    )


def opened(image: bytes, max_pixels: int, formats: tuple[str, ...]) -> Image.Image:
    """The decoded image. Its size is checked before a pixel is decoded (check 30). Raises PictureError."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images; ours is the stricter limit, and it refuses.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(image), formats=formats)
        pixels = picture.width * picture.height
        # In colour a pixel takes three or four bytes: what counts is what the decoder would hold.
        if pixels > max_pixels or pixels * len(picture.getbands()) > MAX_DECODED:
            raise _too_large(max_pixels)
        picture.load()
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels) from error
    # Pillow's decoders raise any of these for damaged or hostile files.
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, IndexError, KeyError) as error:
        raise PictureError("PICTURE_UNREADABLE", "图片无法识别。", "The image cannot be read.") from error
    return picture


def _too_large(max_pixels: int) -> PictureError:
    return PictureError(
        "PICTURE_TOO_LARGE",
        f"图片超过{max_pixels // 10_000}万像素。",
        f"The image exceeds {max_pixels} pixels.",
    )


def _bare(svg: str) -> str:
    # The prologue names a DTD; nothing should even try to fetch it.
    return re.sub(r"<!DOCTYPE[^>]*>", "", svg, count=1)
