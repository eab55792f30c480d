"""The doctor's contact sheet: pictures with landmarks and masks, courses over time, what is wrong.

One picture, `WIDTH` pixels wide: what is wrong and what to do, with the frames that show it; frames
spread over the clip; the extremes of mouth, lids and pose; the worst frames; curves; what is good.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np

from emojax.data import face68, files
from emojax.data.checkup import report, samples
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import Curves
from emojax.data.checkup.report import Finding
from emojax.data.labels import Label
from emojax.opencv import cv2

WIDTH, COLUMNS = 1600, 8
_TILE = WIDTH // COLUMNS
_CAPTION, _LINE, _CHART = 20, 19, 110
_MAX_TROUBLE = 2 * COLUMNS  # tiles of findings
_ZOOM = 1.7  # width of a close-up, in outer eye distances
_PAPER, _INK, _GRAY = (250, 250, 248), (25, 25, 25), (120, 120, 120)
_LEVEL_COLORS = {
    report.GOOD: (40, 130, 60),
    report.USABLE: (190, 120, 0),
    report.NOT_USABLE: (200, 30, 30),
    report.UNKNOWN: (120, 120, 120),
}
_PENS = ((30, 90, 200), (220, 110, 20), (40, 140, 60))
# Tints of regions, chosen to differ on skin, hair and clothes alike.
_TINTS = {
    Label.FACE: (60, 120, 255),
    Label.HAIR: (190, 60, 220),
    Label.MOUTH: (255, 230, 0),
    Label.TEETH: (255, 255, 255),
    Label.NECK: (40, 220, 90),
    Label.TORSO: (255, 80, 60),
}


class _Tile(NamedTuple):
    """A picture to show: frame, caption, close-up of the face or whole."""

    number: int
    caption: str
    is_close: bool


def draw(name: str, findings: list[Finding], contents: Contents, curves: Curves) -> np.ndarray:
    """Returns the sheet, uint8 [H, 1600, 3] RGB.

    Args:
      name: of the clip.
      findings: to write on it.
      contents: of the folder.
      curves: of the folder.
    """
    bands = [_header(name, findings, contents), *_wrong(findings)]
    if contents.size is not None and contents.readable.any():
        there = np.flatnonzero(contents.readable)
        spread = there[np.linspace(0, len(there) - 1, COLUMNS).astype(int)]
        overview = [_Tile(int(t), f"frame {t}  {t / files.FPS:.1f} s", False) for t in spread]
        for title, tiles in (
            ("Look here", _trouble(findings, contents)),
            ("Over the clip", overview),
            ("Extremes", _extremes(contents, curves)),
            ("Worst of what is good", _worst(findings)),
        ):
            tiles = [
                tile
                for tile in tiles
                if 0 <= tile.number < len(contents) and contents.readable[tile.number]
            ]
            if tiles:
                bands += [_title(title), *_grid(tiles, contents)]
        bands += [_title("Over time"), *_charts(contents, curves)]
    return np.concatenate([*bands, *_good(findings), _paper(10)])


def _paper(height: int) -> np.ndarray:
    """An empty band."""
    return np.full((height, WIDTH, 3), _PAPER, np.uint8)


def _write(picture, text: str, at: tuple, color: tuple, *, scale=0.46, thickness=1) -> None:
    """Puts text on a picture; the font knows ASCII only."""
    text = text.encode("ascii", "replace").decode()
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, text, at, font, scale, color, thickness, cv2.LINE_AA)


def _title(text: str) -> np.ndarray:
    """A heading."""
    band = _paper(30)
    _write(band, text, (8, 22), _INK, scale=0.58)
    return band


def _header(name: str, findings: list[Finding], contents: Contents) -> np.ndarray:
    """Name, verdict and size of the clip."""
    band = _paper(52)
    level = report.verdict(findings)
    band[:] = _LEVEL_COLORS[level]
    size = "" if contents.size is None else f"   {contents.size[1]} x {contents.size[0]}"
    text = f"{name}: {level}"
    _write(band, text, (12, 36), (255, 255, 255), scale=1.0, thickness=2)
    facts = f"{len(contents)} frames   {len(contents) / files.FPS:.1f} s{size}"
    (width, _), _ = cv2.getTextSize(facts, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    _write(band, facts, (WIDTH - width - 12, 34), (255, 255, 255), scale=0.6)
    return band


def _extremes(contents: Contents, curves: Curves) -> list[_Tile]:
    """Frames in which the clip reaches its ends."""
    wanted = [
        ("mouth closed", curves.opening, -1, True),
        ("mouth widest", curves.opening, 1, True),
        ("lids most closed", curves.drop, 1, True),
        ("lids widest", curves.drop, -1, True),
        ("yaw least", curves.yaw, -1, False),
        ("yaw most", curves.yaw, 1, False),
        ("pitch least", curves.pitch, -1, False),
        ("pitch most", curves.pitch, 1, False),
    ]
    tiles = []
    for caption, curve, sign, is_close in wanted:
        values = np.where(contents.readable, sign * curve, np.nan)
        if np.isfinite(values).any():
            best = int(np.nanargmax(values))
            unit = " deg" if "yaw" in caption or "pitch" in caption else ""
            value = f"{curve[best]:+.0f}" if unit else f"{curve[best]:.2f}"
            tiles.append(_Tile(best, f"{caption} {value}{unit} ({best})", is_close))
    return tiles


def _trouble(findings: list[Finding], contents: Contents) -> list[_Tile]:
    """Both sides of cuts, and frames of findings that are not good."""
    tiles = []
    for cut in contents.cuts[: COLUMNS // 2]:
        tiles += [_Tile(int(cut) - k, f"cut: frame {cut - k}", False) for k in (1, 0)]
    wrong = [f for level in report.ORDER[:2] for f in findings if f.level == level]
    return (tiles + _named([f for f in wrong if f.name != "cuts"]))[:_MAX_TROUBLE]


def _worst(findings: list[Finding]) -> list[_Tile]:
    """The worst frames of findings that are good."""
    good = [f for f in findings if f.level == report.GOOD and f.name not in ("blinks", "yaw")]
    return _named(good)[:COLUMNS]


def _named(findings: list[Finding]) -> list[_Tile]:
    """The frames that findings name."""
    return [_Tile(t, f"{f.title[:27]} ({t})", False) for f in findings for t in f.frames]


def _grid(tiles: list[_Tile], contents: Contents) -> list[np.ndarray]:
    """Rows of tiles."""
    rows = []
    for first in range(0, len(tiles), COLUMNS):
        row = _paper(_TILE + _CAPTION)
        for column, tile in enumerate(tiles[first : first + COLUMNS]):
            left = column * _TILE
            row[:_TILE, left : left + _TILE - 2] = _picture(tile, contents)[:, : _TILE - 2]
            _write(row, tile.caption[:34], (left + 3, _TILE + 14), _INK, scale=0.37)
        rows.append(row)
    return rows


def _picture(tile: _Tile, contents: Contents) -> np.ndarray:
    """A frame with masks and landmarks, [_TILE, _TILE, 3]."""
    image = samples.read_picture(contents, tile.number)
    if image is None:
        return np.full((_TILE, _TILE, 3), _GRAY, np.uint8)
    points = contents.landmarks[tile.number].astype(np.float64)
    height, width = image.shape[:2]
    scale, shift = _TILE / max(height, width), np.zeros(2)
    has_points = np.isfinite(points).all() and np.abs(points).max() < 1e5
    if tile.is_close and has_points and face68.eye_distance(points) > 1:
        scale = _TILE / (_ZOOM * face68.eye_distance(points))
        shift = points.mean(axis=0) - _TILE / 2 / scale
    # Pixel centres are whole numbers; the tile's pixel (0, 0) shows the place `shift`.
    matrix = np.array([[scale, 0, -scale * shift[0]], [0, scale, -scale * shift[1]]])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    if tile.is_close or scale >= 1:
        out = cv2.warpAffine(image, matrix, (_TILE, _TILE), flags=cv2.INTER_LINEAR)
    else:
        size = (round(width * scale), round(height * scale))
        out = np.zeros((_TILE, _TILE, 3), np.uint8)
        out[: size[1], : size[0]] = cv2.resize(image, size, interpolation=method)
    picture = samples.read_labels(contents, tile.number)
    if picture is not None and not tile.is_close:
        size = (min(round(width * scale), _TILE), min(round(height * scale), _TILE))
        region = np.zeros((_TILE, _TILE), np.uint8)
        region[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST)
        for label, tint in _TINTS.items():
            where = region == label
            out[where] = np.uint8(0.75 * out[where] + 0.25 * np.array(tint))
    if has_points:
        for x, y in (points - shift) * scale:
            cv2.circle(out, (round(x), round(y)), 1, (0, 255, 120), -1, cv2.LINE_AA)
    return out


def _charts(contents: Contents, curves: Curves) -> list[np.ndarray]:
    """The curves, with cuts as vertical lines."""
    units = contents.units

    def unit(number: int) -> np.ndarray:
        known = units is not None and number in units.numbers
        return units.column(number) if known else np.full(len(contents), np.nan)

    charts = [
        ("lip gap / eye distance", [("lips", curves.opening)]),
        ("action units", [("AU25", unit(25)), ("AU01", unit(1)), ("AU45", unit(45))]),
        ("loudness, dB", [("sound", np.maximum(curves.loudness, -70))]),
        ("lids closed by", [("lids", curves.drop)]),
        ("angles, degrees", [("pitch", curves.pitch), ("yaw", curves.yaw), ("roll", curves.roll)]),
        ("distance, m", [("distance", curves.distance)]),
    ]
    return [
        _chart(title, lines, contents.cuts)
        for title, lines in charts
        if any(np.isfinite(values).any() for _, values in lines)
    ]


def _chart(title: str, lines: list, cuts: np.ndarray) -> np.ndarray:
    """Curves of one unit over the whole clip."""
    band, left, top, bottom = _paper(_CHART), 200, 6, _CHART - 8
    known = np.concatenate([values[np.isfinite(values)] for _, values in lines])
    low, high = float(known.min()), float(known.max())
    span = max(high - low, 1e-6)
    band[top:bottom, left : WIDTH - 8] = (255, 255, 255)
    count = max(len(lines[0][1]) - 1, 1)
    for cut in cuts:
        x = left + round((WIDTH - 8 - left) * (cut - 0.5) / count)
        cv2.line(band, (x, top), (x, bottom), (200, 30, 30), 1)
    _write(band, title, (8, 20), _INK, scale=0.4)
    _write(band, report.number(high), (left - 56, top + 10), _GRAY, scale=0.36)
    _write(band, report.number(low), (left - 56, bottom), _GRAY, scale=0.36)
    for place, (name, values) in enumerate(lines):
        _write(band, name, (8, 40 + 18 * place), _PENS[place], scale=0.42)
        time = np.arange(len(values))
        x = left + (WIDTH - 9 - left) * time / count
        y = bottom - 3 - (bottom - top - 6) * (values - low) / span
        # A curve is interrupted where it is not known and at cuts.
        gaps = np.flatnonzero(~np.isfinite(values))
        for part in np.split(time, np.unique(np.concatenate([gaps, gaps + 1, cuts]))):
            if len(part) > 1 and np.isfinite(y[part]).all():
                points = np.int32(np.round(8 * np.stack([x[part], y[part]], axis=-1)))
                cv2.polylines(band, [points], False, _PENS[place], 1, cv2.LINE_AA, 3)
    return band


def _wrong(findings: list[Finding]) -> list[np.ndarray]:
    """Findings that are not good, in full."""
    bands = []
    for level in report.ORDER[:3]:
        chosen = [finding for finding in findings if finding.level == level]
        if chosen:
            bands.append(_title(f"{level.capitalize()} ({len(chosen)})"))
        for finding in chosen:
            bands += _text(finding)
    return bands


def _good(findings: list[Finding]) -> list[np.ndarray]:
    """Findings that are good, in columns."""
    good, columns = [f for f in findings if f.level == report.GOOD], 3
    bands = [_title(f"Good ({len(good)})")] if good else []
    for first in range(0, len(good), columns):
        band = _paper(_LINE)
        for column, finding in enumerate(good[first : first + columns]):
            left = 16 + column * (WIDTH // columns)
            _write(band, finding.title[:40], (left, 14), _GRAY, scale=0.42)
            _write(band, report.shown(finding)[:34], (left + 270, 14), _INK, scale=0.42)
        bands.append(band)
    return bands


def _text(finding: Finding) -> list[np.ndarray]:
    """Title, value, limit and advice of one finding."""
    limit = f"   (good: {finding.good} {finding.unit}".rstrip() + ")" if finding.good else ""
    rows = textwrap.wrap(report.shown(finding) + limit, 150) or [""]
    rows += textwrap.wrap(finding.advice, 150, initial_indent="-> ", subsequent_indent="    ")
    bands = []
    for place, text in enumerate(rows):
        band = _paper(_LINE)
        if place == 0:
            _write(band, finding.title[:40], (16, 14), _LEVEL_COLORS[finding.level])
        _write(band, text, (340, 14), _INK)
        bands.append(band)
    return bands
