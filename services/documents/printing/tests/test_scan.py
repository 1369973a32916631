"""The code on paper: printed, scanned askew and coarse, and found again."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from services.documents.printing import picture, scan
from services.documents.printing.code import decode_payload, encode
from services.documents.printing.errors import CodeError, PictureError
from services.documents.printing.sheet import CodePlace
from services.documents.printing.tests.measuring import FIELDS, code_in, pixel_flood

PAYLOAD = encode(FIELDS)


def jpeg(image, quality=55):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def scanned(measured, dpi, angle):
    """The page with the code as a cheap scanner sees it: grey, dull, noisy, turned, compressed."""
    page = measured.document[measured.result.code_page - 1]
    image = page.render(scale=dpi / 72, grayscale=True).to_pil().convert("L")
    image = image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=250)
    pixels = np.asarray(image, dtype=float) * 0.75 + 35
    pixels += np.random.default_rng(dpi).normal(0, 14, pixels.shape)
    return jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


def test_picture_holds_the_gb_bytes_of_the_payload():
    image = Image.open(io.BytesIO(picture.png(PAYLOAD)))
    (found,) = scan.zxingcpp.read_barcodes(np.asarray(image), formats=scan.PDF417)
    assert bytes(found.bytes) == PAYLOAD.encode("gb2312")


def test_drawing_has_8_columns_unless_it_would_be_too_high():
    narrow, low = picture.draw(PAYLOAD, 40), picture.draw(PAYLOAD, 20)
    assert narrow.width == pytest.approx((69 + 8 * 17 + 4) * picture.MODULE)
    assert low.width > narrow.width
    assert low.height <= 20
    assert "DOCTYPE" not in narrow.svg
    with pytest.raises(CodeError):
        picture.draw("长" * 600)


def test_longest_payload_still_fits_the_foot():
    longest = encode(
        FIELDS.__class__(
            number="1" * 20, issuer="关" * 20, genre="种" * 15, document_number="号" * 15,
            addressees="送" * 20,
            title="题" * 80, classification="机密", period="10年", urgency="特急", date=FIELDS.date,
            spread="公" * 8, maker="作" * 20, made_on=FIELDS.date, custom="自" * 20,
        )
    )  # fmt: skip
    drawing = picture.draw(longest)
    assert drawing.height <= 26
    assert drawing.width <= 156 - 30


@pytest.mark.parametrize("place", [CodePlace.AUTO, CodePlace.HEAD])
@pytest.mark.parametrize("dpi", [150, 200, 300])
@pytest.mark.parametrize("angle", [0, -2, 3.3, 5, -5, 9, 90, 182])
def test_printed_code_is_found_on_a_scan(printed, place, dpi, angle):
    measured = printed(code=PAYLOAD, code_place=place)
    found = scan.find_in_image(scanned(measured, dpi, angle), seconds=20)
    assert found == decode_payload(PAYLOAD.encode("gb18030"))


def test_code_is_found_in_colour_with_alpha_and_in_16_bit():
    grey = Image.open(io.BytesIO(picture.png(PAYLOAD, 3)))
    values = np.asarray(grey, dtype=np.uint16)
    see_through = Image.new("RGBA", grey.size, (0, 0, 0, 0))
    see_through.paste((20, 20, 90, 255), mask=grey.point(lambda v: 255 - v))
    for image in (grey.convert("RGB"), see_through, Image.fromarray(values * 200 + 900), grey.convert("1")):
        out = io.BytesIO()
        image.save(out, "PNG")
        assert scan.find_in_image(out.getvalue()) is not None, image.mode


def test_code_is_found_in_a_pdf_on_its_last_page(printed):
    assert code_in(printed(code=PAYLOAD).result.pdf) is not None
    assert code_in(printed().result.pdf, seconds=1) is None


def test_another_code_and_a_blank_page_are_none_and_time_is_bounded():
    other = Image.open(io.BytesIO(picture.png("一个包裹的标签，不是公文")))
    start = time.monotonic()
    assert scan.find_in_image(jpeg(other, 90), seconds=1) is None
    assert scan.find_in_image(jpeg(Image.new("L", (2480, 3508), 255)), seconds=1) is None
    noise = np.random.default_rng(1).integers(0, 255, (1500, 1000)).astype(np.uint8)
    assert scan.find_in_image(jpeg(Image.fromarray(noise)), seconds=1) is None
    assert time.monotonic() - start < 12


def test_pixel_flood_is_refused_before_it_is_decoded():  # check 30
    start = time.monotonic()
    for side in (8_000, 30_000, 200_000):
        with pytest.raises(PictureError) as raised:
            scan.find_in_image(pixel_flood(side))
        assert raised.value.reason == "PICTURE_TOO_LARGE"
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(50), b"<svg/>", bytes(999)]
)
def test_what_is_no_image_is_refused(data):
    with pytest.raises(PictureError):
        scan.find_in_image(data)


def test_truncated_images_are_refused():
    whole = jpeg(Image.open(io.BytesIO(picture.png(PAYLOAD))), 90)
    for cut in (10, 100, len(whole) // 2):
        with pytest.raises(PictureError):
            scan.find_in_image(whole[:cut])
