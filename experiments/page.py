"""A web page of results: one section a result, with a paragraph, pictures, films and tables.

Self-contained but for the files that it shows, which lie beside it: no script, nothing from
elsewhere. `write` refuses a page that would show a file that is not there.
"""

import dataclasses
import html
import pathlib
from collections.abc import Sequence

from emojax.data import files

PICTURES, FILMS = (".png", ".jpg"), (".mp4",)
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 68rem; margin: 0 auto; padding: 1.5rem; }
h1 { margin-bottom: 0; } h2 { margin: 2.5rem 0 0.3rem; }
p { max-width: 46rem; } .lead { color: #777; margin-top: 0.3rem; }
figure { margin: 1rem 0; } figcaption { font-size: 0.85rem; color: #777; }
img, video { max-width: 100%; border-radius: 6px; background: #8881; }
.films { display: flex; flex-wrap: wrap; gap: 1rem; }
.films figure { flex: 1 1 18rem; margin: 0; max-width: 36rem; } .films video { width: 100%; }
pre { overflow-x: auto; background: #8881; padding: 0.8rem; border-radius: 6px; font-size: 0.8rem; }
""".strip()


@dataclasses.dataclass(frozen=True)
class Section:
    """One result.

    Attributes:
      title: of the section.
      text: a paragraph that says what is seen, and what to look for.
      shown: (caption, file) of pictures, films and others, which are linked.
      table: preformatted text below.
    """

    title: str
    text: str
    shown: Sequence[tuple[str, pathlib.Path]] = ()
    table: str = ""


def write(path: pathlib.Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Writes the page.

    Args:
      path: of the page, index.html say.
      title: of the page.
      lead: a sentence below it.
      sections: in order; files that they show are named relative to the page.

    Raises:
      FileNotFoundError: a file that would be shown is not there.
    """
    missing = [file for section in sections for _, file in section.shown if not file.is_file()]
    if missing:
        raise FileNotFoundError(f"the page would show {', '.join(map(str, missing))}")
    body = "\n".join(_section(section, path.parent) for section in sections)
    files.write_text(
        path,
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{STYLE}\n</style></head>\n<body>\n"
        f'<h1>{html.escape(title)}</h1>\n<p class="lead">{html.escape(lead)}</p>\n'
        f"{body}\n</body></html>\n",
    )


def _section(section: Section, folder: pathlib.Path) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>", f"<p>{html.escape(section.text)}</p>"]
    films = [item for item in section.shown if item[1].suffix in FILMS]
    if films:
        parts.append(f'<div class="films">{"".join(_film(*item, folder) for item in films)}</div>')
    parts += [_other(*item, folder) for item in section.shown if item[1].suffix not in FILMS]
    if section.table:
        parts.append(f"<pre>{html.escape(section.table)}</pre>")
    return "\n".join(parts)


def _link(file: pathlib.Path, folder: pathlib.Path) -> str:
    return html.escape(file.resolve().relative_to(folder.resolve()).as_posix(), quote=True)


def _film(caption: str, file: pathlib.Path, folder: pathlib.Path) -> str:
    return (
        f'<figure><video src="{_link(file, folder)}" controls loop playsinline preload="metadata">'
        f"</video><figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def _other(caption: str, file: pathlib.Path, folder: pathlib.Path) -> str:
    link, text = _link(file, folder), html.escape(caption)
    if file.suffix in PICTURES:
        return (
            f'<figure><a href="{link}"><img src="{link}" alt="{text}" loading="lazy"></a>'
            f"<figcaption>{text}</figcaption></figure>"
        )
    return f'<p><a href="{link}">{text}</a></p>'
