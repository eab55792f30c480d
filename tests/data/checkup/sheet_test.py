"""The contact sheet of whole, damaged and empty folders; names in any script."""

import numpy as np

from emojax.data.checkup import (
    contents,
    curves,
    report,
    sheet,
)
from tests.data import actor, folders


def _sheet(folder, findings):
    there = contents.read(folder)
    return sheet.draw("größe", findings, there, curves.curves(there))


def test_the_sheet_has_pictures_curves_and_text(tmp_path):
    folders.write_folder(actor.film(num_frames=30, size=64, cut_at=20), tmp_path)
    wrong = report.at_most("a", "A", 9.0, (1, 2), advice="Do. " * 100, frames=(3, 700))
    good = report.stated("b", "B", "fine", report.GOOD)
    short = _sheet(tmp_path, [good])
    drawn = _sheet(tmp_path, [wrong, good])
    assert drawn.shape[1:] == (sheet.WIDTH, 3)
    assert drawn.dtype == np.uint8
    assert len(drawn) > len(short), "advice takes room"
    assert tuple(drawn[2, 2]) != tuple(short[2, 2]), "the verdict has its colour"
    saturated = drawn.max(axis=-1).astype(int) - drawn.min(axis=-1)
    assert (saturated > 60).mean() > 0.05


def test_an_empty_folder_has_a_sheet_of_text(tmp_path):
    drawn = _sheet(tmp_path, [report.stated("a", "A", "none", report.NOT_USABLE, advice="Do.")])
    assert drawn.shape[1] == sheet.WIDTH
    assert len(drawn) < 300


def test_landmarks_gone_astray_do_no_harm(tmp_path):
    folders.write_folder(actor.film(num_frames=30, size=64), tmp_path)
    there = contents.read(tmp_path)
    there.landmarks[::2] = 1e30
    there.landmarks[1::3] = np.nan
    there.world_to_camera[:] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        course = curves.curves(there)
    assert len(sheet.draw("x", [], there, course)) > 300
