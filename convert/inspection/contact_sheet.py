"""Many small images on a large one, each with a caption."""

import pathlib
from collections.abc import Sequence

import matplotlib
from PIL import Image, ImageDraw, ImageFont, ImageOps

_GAP = 8  # pixels around each image
_TEXT_SIZE = 12  # pixels; a line is half as much again
_LINE = 18


def draw(
    images: Sequence[Image.Image], captions: Sequence[str], *, title: str, side: int
) -> Image.Image:
    """Draws images in rows, on a roughly square sheet.

    Args:
      images: the images; each is scaled up or down to fit a square.
      captions: the text below each image; cut if it is too long.
      title: the text above the images.
      side: the side of each image's square, in pixels.

    Returns:
      The sheet, in mode RGB.
    """
    font = _font()
    columns = max(1, round((len(images) * (side + _LINE) / side) ** 0.5))
    rows = -(-len(images) // columns)
    width = max(_GAP + columns * (side + _GAP), 2 * _GAP + int(font.getlength(title)))
    height = _LINE + _GAP + rows * (side + _LINE + _GAP)
    sheet = Image.new("RGB", (width, height), "white")
    canvas = ImageDraw.Draw(sheet)
    canvas.text((_GAP, _GAP // 2), title, "black", font)
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(number, columns)
        left = _GAP + column * (side + _GAP)
        top = _LINE + _GAP + row * (side + _LINE + _GAP)
        sheet.paste(_fit(image, side), (left, top))
        canvas.text((left, top + side), _cut(caption, side, font), "black", font)
    return sheet


def _fit(image: Image.Image, side: int) -> Image.Image:
    enlarges = max(image.size) < side
    filter_ = Image.Resampling.NEAREST if enlarges else Image.Resampling.LANCZOS
    return ImageOps.contain(image.convert("RGB"), (side, side), filter_)


def _font() -> ImageFont.FreeTypeFont:
    fonts = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(str(fonts / "DejaVuSans.ttf"), _TEXT_SIZE)


def _cut(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
