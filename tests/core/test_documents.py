"""Documents of every kind become passages under their headings, and what cannot be read is told."""

import os
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from core.data.documents.passages import MOST_CHARACTERS, Passage
from core.data.documents.reading import read_documents
from core.data.report import Rejections
from core.util.errors import SteerError

SPHINX = """<html><head><title>Loans &#8212; Library 1.0</title></head><body>
<div class="related" role="navigation"><ul><li>index</li></ul></div>
<div class="body" role="main"><section id="loans"><h1>Loans<a class="headerlink" href="#loans">¶</a></h1>
<p>Books may be kept for <strong>four</strong> weeks.</p>
<section id="late"><h2>Late returns<a class="headerlink" href="#late">¶</a></h2>
<p>A day costs <code>0.10</code> euros.</p>
<div class="highlight-python"><pre>fine = 0.1 * days</pre></div>
<ul><li><p>Up to five euros</p></li><li><p>Children pay nothing</p></li></ul>
<table><tr><td><p>Book</p></td><td><p>4 weeks</p></td></tr></table></section></section></div>
<div class="sphinxsidebar"><h3>Navigation</h3><p>previous</p></div><script>alert("no")</script></body></html>"""

MARKDOWN = """---
title: Front
---
# Loans

Books may be kept for *four* weeks. See {ref}`the rules <rules>`.

```python
fine = 0.1
```

```{note}
Children pay nothing.
```

Late returns
------------

A day costs `0.10` euros.<script>alert("no")</script>

## Late returns

Again.
"""

RESTRUCTURED = """Loans
=====

Books may be kept for **four** weeks, see :ref:`the rules <rules>` and :class:`~library.Fine`.

.. toctree::

   rules

.. code-block:: python

   fine = 0.1

.. include:: /etc/hostname

.. note:: Children pay nothing.

Late returns
------------

A day costs ``0.10`` euros.
"""


def read(path: Path) -> tuple[list[Passage], str]:
    rejections = Rejections()
    return read_documents(path, rejections), rejections.message()


def as_told(path: Path) -> dict[str, str]:
    """Title and text of each passage of a folder or file in which everything can be read."""
    passages, problems = read(path)
    assert problems == ""
    return {passage.title: passage.text for passage in passages}


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pdf(folder: Path, *, password: str = "", scanned: bool = False) -> Path:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from pypdf import PdfReader, PdfWriter

    with mpl.rc_context({"pdf.fonttype": 42}):
        figure = Figure()
        if scanned:
            figure.add_subplot().imshow([[0, 1], [1, 0]])
            figure.axes[0].axis("off")
        else:
            figure.text(0.1, 0.9, "Loans", fontsize=20)
            figure.text(0.1, 0.8, "Books may be kept for four weeks.", fontsize=10)
            figure.text(0.1, 0.6, "Late returns", fontsize=15)
            figure.text(0.1, 0.5, "A day costs ten cents\nfor each book, as a re-\nminder.", fontsize=10)
        figure.savefig(folder / "loans.pdf")
    if password:
        writer = PdfWriter(PdfReader(folder / "loans.pdf"))
        writer.encrypt(password)
        writer.write(folder / "loans.pdf")
    return folder / "loans.pdf"


def word(folder: Path, body: str) -> Path:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    main = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    with ZipFile(folder / "loans.docx", "w", ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="r1" Type="{main}" Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "word/document.xml",
            '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
            f"<w:body>{body}</w:body></w:document>",
        )
    return folder / "loans.docx"


def paragraph(text: str, style: str = "") -> str:
    look = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{look}<w:r><w:t>{text}</w:t></w:r></w:p>"


def test_a_page_of_sphinx_is_its_main_part_without_code_and_navigation(tmp_path):
    assert as_told(file(tmp_path, "loans.html", SPHINX)) == {
        "Loans": "Books may be kept for four weeks.",
        "Loans: Late returns": "A day costs 0.10 euros.\nUp to five euros\nChildren pay nothing\nBook | 4 weeks",
    }


def test_markdown_is_read_by_its_headings_with_notes_and_without_code(tmp_path):
    passages, problems = read(file(tmp_path, "loans.md", MARKDOWN))
    assert problems == ""
    assert [(each.id, each.title, each.text) for each in passages] == [
        ("loans.md#loans", "Loans", "Books may be kept for four weeks. See the rules.\nChildren pay nothing."),
        ("loans.md#late-returns", "Loans: Late returns", "A day costs 0.10 euros."),
        ("loans.md#late-returns-2", "Loans: Late returns", "Again."),
    ]


ANNOUNCED = {
    "upgrade.md": "Upgrade by running:\n\n```\n$ tool upgrade\n```\n\n```\nunannounced\n```\n\nThen restart it.\n",
    "upgrade.html": "<p>Upgrade by running:</p><pre>$ tool upgrade\n</pre><pre>more</pre><p>Then restart it.</p>",
    "upgrade.rst": "Upgrade by running:\n\n.. code-block:: console\n\n   $ tool upgrade\n\nThen restart it.\n",
    "upgrade.rst.txt": "Upgrade by running:\n\n.. tab:: Unix/macOS\n\n   .. code-block:: sh\n\n      tool upgrade\n\n"
    ".. tab:: Windows\n\n   .. code-block:: shell\n\n      tool.exe upgrade\n\nThen restart it.\n",
}


@pytest.mark.parametrize("name", ANNOUNCED)
def test_short_code_belongs_to_the_sentence_that_announces_it(tmp_path, name):
    assert as_told(file(tmp_path, name, ANNOUNCED[name])) == {
        "Upgrade": "Upgrade by running: `tool upgrade`\nThen restart it."
    }


@pytest.mark.parametrize(
    ("fence", "end"),
    [
        ("{code-block} console\n:emphasize-lines: 1\ntool upgrade", " `tool upgrade`"),
        ("{tool-cli}\n$ tool upgrade", " `tool upgrade`"),
        ("{toctree}\nupgrading\ninstalling", ""),
    ],
)
def test_of_directives_those_that_are_code_are_read_as_such(tmp_path, fence, end):
    page = f"Upgrade by running:\n\n```{fence}\n```\n"
    assert as_told(file(tmp_path, "page.md", page)) == {"Page": f"Upgrade by running:{end}"}


def test_long_code_is_left_out_though_it_is_announced(tmp_path):
    page = "Write this:\n\n```python\n" + "total += 1\n" * 4 + "```\n"
    assert as_told(file(tmp_path, "page.md", page)) == {"Page": "Write this:"}


@pytest.mark.parametrize("name", ["loans.rst", "loans.rst.txt"])
def test_the_sources_of_sphinx_are_read_without_opening_other_files(tmp_path, name):
    assert as_told(file(tmp_path, name, RESTRUCTURED)) == {
        "Loans": "Books may be kept for four weeks, see the rules and library.Fine.\nNote\nChildren pay nothing.",
        "Loans: Late returns": "A day costs 0.10 euros.",
    }


def test_plain_text_keeps_indented_paragraphs_and_angle_brackets(tmp_path):
    path = file(tmp_path, "house_rules.txt", "Keep <quiet>.\n\n    No telephones.\n\nFood\n----\nEat outside.\n")
    assert as_told(path) == {"House rules": "Keep <quiet>.\nNo telephones.", "House rules: Food": "Eat outside."}


def test_larger_letters_of_a_pdf_are_its_headings(tmp_path):
    assert as_told(pdf(tmp_path)) == {
        "Loans": "Books may be kept for four weeks.",
        "Loans: Late returns": "A day costs ten cents for each book, as a reminder.",
    }


def test_a_word_file_is_read_by_its_headings(tmp_path):
    path = word(
        tmp_path,
        paragraph("Loans", "Heading1")
        + paragraph("Books may be kept for four weeks.")
        + paragraph("Late returns", "Heading2")
        + paragraph("A day costs ten cents."),
    )
    assert as_told(path) == {
        "Loans": "Books may be kept for four weeks.",
        "Loans: Late returns": "A day costs ten cents.",
    }


def test_a_folder_is_read_with_all_below_it_but_what_is_hidden(tmp_path):
    for name in ("b/loans.md", "a.html", ".git/x.md", "b/.cache/y.md", "style.css", "picture.png"):
        file(tmp_path, name, "<p>Text of it.</p>")
    passages, _ = read(tmp_path)
    assert [passage.id for passage in passages] == ["a.html", "b/loans.md"]


def test_a_long_section_is_cut_between_paragraphs_and_sentences_and_nothing_is_lost(tmp_path):
    sentence = "Every book of the reading room stays in the reading room."
    paragraphs = [" ".join([sentence] * 30), sentence, " ".join([sentence] * 5)]
    passages, _ = read(file(tmp_path, "rules.md", "# Rules\n\n" + "\n\n".join(paragraphs)))
    assert len(passages) > 2
    assert {passage.section for passage in passages} == {"rules.md#rules"}
    assert [passage.id for passage in passages[:2]] == ["rules.md#rules", "rules.md#rules:2"]
    assert all(len(passage.text) <= MOST_CHARACTERS for passage in passages)
    assert " ".join(passage.text for passage in passages).split() == " ".join(paragraphs).split()


def test_headings_of_any_script_make_ids(tmp_path):
    passages, _ = read(file(tmp_path, "帮助.md", "# 借书\n\n可以借四个星期。\n\n## 逾期\n\n每天一角。"))
    assert [(passage.id, passage.title) for passage in passages] == [
        ("帮助.md#借书", "借书"),
        ("帮助.md#逾期", "借书: 逾期"),
    ]


def test_what_cannot_be_read_is_told_with_its_reason_and_the_rest_is_read(tmp_path):
    folder = tmp_path / "help"
    file(folder, "good.md", "Text.")
    file(folder, "empty.md", "# A heading and nothing else\n")
    file(folder, "latin.txt", "café".encode("latin-1"))
    file(folder, "old.doc", b"\xd0\xcf\x11\xe0")
    file(folder, "no.docx", b"not a zip")
    file(folder, "broken.pdf", b"%PDF-1.7\nnothing")
    file(tmp_path, "secret.md", "Out of the folder.")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "nowhere.md").symlink_to(tmp_path / "nothing.md")
    with (folder / "large.pdf").open("wb") as large:
        os.truncate(large.fileno(), 50_000_001)  # a hole in the file, no bytes on the disk
    rejections = Rejections()
    assert [passage.text for passage in read_documents(folder, rejections)] == ["Text."]
    told = {place: each.reason for each in rejections.by_reason() for place in each.first}
    assert told.keys() == {path.name for path in folder.iterdir()} - {"good.md"}
    assert "no text" in told["empty.md"]
    assert "UTF-8" in told["latin.txt"]
    assert "save it as DOCX" in told["old.doc"]
    assert "Word file" in told["no.docx"]
    assert "damaged" in told["broken.pdf"]
    assert "link out of the folder" in told["link.md"]
    assert "50 MB" in told["large.pdf"]


@pytest.mark.parametrize(
    ("kind", "reason"), [({"scanned": True}, "such as a scan"), ({"password": "x"}, "encrypted; save it without")]
)
def test_a_pdf_without_text_or_behind_a_password_is_told(tmp_path, kind, reason):
    passages, problems = read(pdf(tmp_path, **kind))
    assert passages == []
    assert reason in problems


def test_a_word_file_that_unpacks_to_gigabytes_is_told(tmp_path):
    path = word(tmp_path, "")
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr("word/media/zeros", b"\0" * 201_000_000, compresslevel=1)
    assert "200 MB when unpacked" in read(path)[1]


def test_a_page_that_is_nested_without_end_is_told(tmp_path):
    assert "nested too deeply" in read(file(tmp_path, "deep.html", "<div>" * 5_000 + "x"))[1]


def test_a_folder_without_documents_is_refused(tmp_path):
    file(tmp_path, "style.css", "p {}")
    with pytest.raises(SteerError, match="holds no document; documents are files that end in"):
        read(tmp_path)
    with pytest.raises(SteerError, match="there is no file or folder"):
        read(tmp_path / "none")


@pytest.mark.parametrize(("name", "package"), [("a.pdf", "pypdf"), ("a.docx", "mammoth"), ("a.rst", "docutils")])
def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch, name, package):
    for loaded in [each for each in sys.modules if each.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SteerError, match=rf"{package}.* is not installed: pip install 'steer\[documents\]'"):
        read(file(tmp_path, name, ""))
