"""A picture of a net, an SVG: a box for each end point, lines along the data."""

import html
from collections.abc import Sequence

from convert.inspection.net_layers import NetLayer, size_text

_BOX_WIDTH, _BOX_HEIGHT, _GAP = 460, 40, 18
_LEFT, _TOP = 24, 64
_WIDTH = _LEFT + _BOX_WIDTH + 340
_STEP = _BOX_HEIGHT + _GAP
_BAR_WIDTH = 180  # of the row with the most arithmetic
_MAX_NAME = 44  # characters of a name that fit its box
_LANES = 6  # of lines that pass boxes by


def draw(title: str, input_text: str, layers: Sequence[NetLayer]) -> str:
    """The picture.

    Args:
      title: stands above.
      input_text: what the first box says: the size of the image.
      layers: in the order of computation.

    Returns:
      An SVG document; all names in it are escaped.
    """
    height = _TOP + (len(layers) + 1) * _STEP + 8
    most = max((layer.multiply_adds for layer in layers), default=0) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4"'
        ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#868e96"/></marker></defs>',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        _text(_LEFT, 28, title, size=17),
        _text(_LEFT + _BOX_WIDTH + 120, 50, "multiply-adds", color="#495057"),
        _box(-1, "image", input_text, "#fff3bf"),
    ]
    lane = 0
    for place, layer in enumerate(layers):
        color = "#f1f3f5" if layer.is_auxiliary else "#d0ebff"
        parts.append(_box(place, layer.end_point, layer.operation, color))
        parts.append(_figures(place, layer, most))
        for parent in layer.parents:
            if parent == place - 1:
                parts.append(_arrow(place))
            else:
                parts.append(_detour(parent, place, lane % _LANES))
                lane += 1
    return "\n".join([*parts, "</svg>", ""])


def _y(place: int) -> int:
    return _TOP + (place + 1) * _STEP


def _text(
    x: float, y: float, text: str, *, size: int = 13, color: str = "#212529"
) -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}">'
        f"{html.escape(text)}</text>"
    )


def _box(place: int, name: str, operation: str, color: str) -> str:
    y = _y(place)
    shown = name if len(name) <= _MAX_NAME else f"…{name[1 - _MAX_NAME :]}"
    return (
        f'<rect x="{_LEFT}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="5"'
        f' fill="{color}" stroke="#adb5bd"/>'
        + _text(_LEFT + 12, y + 25, shown)
        + f'<text x="{_LEFT + _BOX_WIDTH - 12}" y="{y + 25}" text-anchor="end"'
        f' fill="#495057">{html.escape(operation)}</text>'
    )


def _figures(place: int, layer: NetLayer, most: int) -> str:
    x, y = _LEFT + _BOX_WIDTH + 120, _y(place)
    bar = round(_BAR_WIDTH * layer.multiply_adds / most)
    words = f"{size_text(layer.shape)}, {layer.num_parameters:,} parameters"
    return (
        f'<rect x="{x}" y="{y + 24}" width="{bar}" height="10" fill="#74c0fc"/>'
        + _text(x, y + 17, words, color="#495057")
    )


def _arrow(place: int) -> str:
    """From the box above."""
    x, y = _LEFT + _BOX_WIDTH // 2, _y(place)
    return (
        f'<path d="M{x} {y - _GAP}V{y - 1}" stroke="#868e96" marker-end="url(#tip)"/>'
    )


def _detour(parent: int, place: int, lane: int) -> str:
    """Around the boxes between, on their right."""
    right = _LEFT + _BOX_WIDTH
    start, end = _y(parent) + _BOX_HEIGHT - 8, _y(place) + 8
    bend = right + 30 + 13 * lane
    return (
        f'<path d="M{right} {start}H{bend}V{end}H{right + 1}" fill="none"'
        ' stroke="#868e96" marker-end="url(#tip)"/>'
    )
