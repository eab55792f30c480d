"""The web page of results: whole, safe, with nothing missing."""

import html.parser

import numpy as np
import pytest

from emojax.data import files
from tests.experiments import command

page = command.module("page")


class Reader(html.parser.HTMLParser):
    """Collects what a page refers to, and whether its tags close."""

    VOID = ("meta", "img")

    def __init__(self):
        super().__init__()
        self.open, self.links, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def folder(tmp_path):
    files.write_picture(tmp_path / "sheet.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "films").mkdir()
    for name in ("films/a.mp4", "films/b.mp4", "0.ply"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def _write(folder):
    section = page.Section(
        "Lips & <sound>",
        'Text with "quotes" and <b>tags</b>.',
        (
            ("a sheet", folder / "sheet.png"),
            ("a film", folder / "films/a.mp4"),
            ("another", folder / "films/b.mp4"),
            ("Gaussians", folder / "0.ply"),
        ),
        table="psnr  31.0\n<lmd>  0.7",
    )
    page.write(folder / "index.html", "A head", "Made in minutes.", [section])
    reader = Reader()
    reader.feed((folder / "index.html").read_text(encoding="utf-8"))
    return reader


def test_all_tags_close_and_text_is_text(folder):
    reader = _write(folder)
    assert reader.open == []
    assert "Lips & <sound>" in reader.text
    assert 'Text with "quotes" and <b>tags</b>.' in reader.text
    assert "<lmd>  0.7" in reader.text


def test_it_refers_to_files_beside_it_alone(folder):
    links = _write(folder).links
    assert set(links) == {"sheet.png", "films/a.mp4", "films/b.mp4", "0.ply"}
    assert all((folder / link).is_file() for link in links)


def test_a_missing_file_is_named_and_no_page_written(folder):
    lost = page.Section("x", "y", (("z", folder / "lost.png"),))
    with pytest.raises(FileNotFoundError, match=r"lost\.png"):
        page.write(folder / "index.html", "t", "l", [lost])
    assert not (folder / "index.html").exists()
