"""Draws the platform's sign, a seal with 同, as SVG and PNG: `python chassis/web/make_icons.py FONT.ttc`.

The results are committed; this is run again only when the sign changes. Needs fonttools and pillow; made with Noto Serif CJK Bold.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.pens.boundsPen import BoundsPen
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

STATIC = Path(__file__).parent / "static"
RED, WHITE = "#b81c2b", "#ffffff"
SIZE = 512


def _svg(font: str) -> str:
    face = TTFont(font, fontNumber=0)
    glyphs, name = face.getGlyphSet(), face.getBestCmap()[ord("同")]
    bounds = BoundsPen(glyphs)
    glyphs[name].draw(bounds)
    left, low, right, high = bounds.bounds
    scale = 300 / max(right - left, high - low)
    pen = SVGPathPen(glyphs, ntos=lambda number: f"{number:.0f}")
    across = SIZE / 2 - scale * (left + right) / 2
    down = SIZE / 2 + scale * (low + high) / 2
    glyphs[name].draw(TransformPen(pen, (scale, 0, 0, -scale, across, down)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}"><rect width="{SIZE}" height="{SIZE}" rx="104" fill="{RED}"/>'
        f'<rect x="42" y="42" width="428" height="428" rx="70" fill="none" stroke="{WHITE}" stroke-width="14"/>'
        f'<path fill="{WHITE}" d="{pen.getCommands()}"/></svg>\n'
    )


def _png(font: str, size: int, *, mask: bool) -> Image.Image:
    # Drawn four times as large and scaled down: smooth edges. A maskable icon is cut to any shape, so it fills the square.
    big = size * 4
    picture = Image.new("RGBA", (big, big), RED if mask else (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    part = big / SIZE
    if not mask:
        draw.rounded_rectangle((0, 0, big - 1, big - 1), 104 * part, fill=RED)
        draw.rounded_rectangle((36 * part, 36 * part, big - 36 * part, big - 36 * part), 76 * part, outline=WHITE, width=int(14 * part))
    face = ImageFont.truetype(font, int((290 if mask else 326) * part))
    box = draw.textbbox((0, 0), "同", font=face)
    draw.text((big / 2 - (box[0] + box[2]) / 2, big / 2 - (box[1] + box[3]) / 2), "同", font=face, fill=WHITE)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def main() -> None:
    """Write icon.svg and the PNGs into static/."""
    font = sys.argv[1]
    (STATIC / "icon.svg").write_text(_svg(font), encoding="utf-8")
    for size, mask in ((192, False), (512, False), (512, True)):
        picture = _png(font, size, mask=mask).quantize(64, method=Image.Quantize.FASTOCTREE)
        picture.save(STATIC / (f"icon-mask-{size}.png" if mask else f"icon-{size}.png"), optimize=True)


if __name__ == "__main__":
    main()
