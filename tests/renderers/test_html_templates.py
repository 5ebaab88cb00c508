"""A team's own title, logo, words and templates: what the page makes of them, and what it says of broken ones."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import lxml.html
import pytest

from credly_audit.config.presentation import PLAIN, Presentation
from credly_audit.config.settings import ReportSettings
from credly_audit.errors import UsageError
from credly_audit.operations.evaluation import read_presentation
from credly_audit.renderers.html.check_templates import made_up_pages
from credly_audit.renderers.html.templates import FOLDER, templates
from tests.proof import mostly_in_proof
from tests.renderers.rendering import clean, of_all_kinds, rendered

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><script>alert(1)</script></svg>'


def said(folder: Path, **files: str | bytes) -> Presentation:
    """What `[report]` says when it names these files, by the key."""
    paths = {}
    for key, content in files.items():
        paths[key] = folder / key
        paths[key].write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_presentation(ReportSettings(**paths))


def with_templates(folder: Path, **files: str) -> Presentation:
    for name, content in files.items():
        (folder / f"{name}.html").write_text(content)
    return read_presentation(ReportSettings(templates=folder))


@pytest.mark.parametrize(("content", "kind"), [(PNG, "png"), (SVG, "svg+xml"), (b"\xff\xd8\xff\xe0JFIF", "jpeg")])
def test_a_logo_is_embedded_as_a_picture_and_the_policy_lets_it_show(tmp_path: Path, content: bytes, kind: str) -> None:
    page = lxml.html.document_fromstring(
        rendered("html", replace(clean(), presentation=said(tmp_path, logo=content))).decode()
    )

    [source] = page.xpath("//img/@src")
    assert source == f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    [policy] = page.xpath("//meta[@http-equiv]/@content")
    assert "; img-src data:;" in policy


def test_without_a_logo_the_policy_lets_no_picture_show() -> None:
    assert "img-src" not in rendered("html", clean()).decode()


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"logo": b"GIF89a"}, "logo is not a PNG, JPEG or SVG picture"),
        ({"logo": b"<html/>"}, "logo is not a PNG, JPEG or SVG picture"),
        ({"logo": PNG + bytes(600_000)}, "has 600,070 bytes, and 512,000 is the most"),
        ({"guidance": b"\xff\xfe"}, "guidance is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_serve_is_named_with_its_key(
    tmp_path: Path, files: dict[str, bytes], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        said(tmp_path, **files)


def test_all_files_that_are_missing_are_named_together(tmp_path: Path) -> None:
    settings = ReportSettings(logo=tmp_path / "a.png", guidance=tmp_path / "b.md", templates=tmp_path / "c")

    with pytest.raises(UsageError) as raised:
        read_presentation(settings)

    assert str(raised.value).splitlines() == [
        f"[report] logo: {tmp_path}/a.png cannot be read (No such file or directory)",
        f"[report] guidance: {tmp_path}/b.md cannot be read (No such file or directory)",
        f"[report] templates: {tmp_path}/c is not a folder",
    ]


def test_a_template_of_ones_own_takes_the_place_of_ours_and_is_escaped(tmp_path: Path) -> None:
    own = "<section id='about'><p>Made for {{ headline }} by {{ '<b>' }}</p></section>"
    page = rendered("html", replace(clean(), presentation=with_templates(tmp_path, about=own))).decode()

    assert "Made for Pass: 2 tokens of 1 organization, all complete; no policy violations. by &lt;b&gt;" in page
    assert "How to read it" not in page


def test_a_style_of_ones_own_is_in_the_policy(tmp_path: Path) -> None:
    (tmp_path / "report.css").write_text("body { color: teal }")
    page = rendered(
        "html", replace(clean(), presentation=read_presentation(ReportSettings(templates=tmp_path)))
    ).decode()

    assert "<style>body { color: teal }</style>" in page
    assert rendered("html", clean()).decode().split("style-src")[1][:60] != page.split("style-src")[1][:60]


@pytest.mark.parametrize(
    ("template", "line", "complaint"),
    [
        ("<p>\n{{ headline }\n</p>", 2, "unexpected '}'"),
        ("<p>\n\n{{ nobody_knows_this }}</p>", 3, "'nobody_knows_this' is undefined"),
        ("{% if outcome == 'incomplete' %}\n{{ coverage[7].word }}{% endif %}", 2, "list object has no element 7"),
        ("\n{% include 'gone.html' %}", 2, "there is no template gone.html"),
        ("{{ ''.__class__.__mro__ }}", 1, "unsafe"),
        ("{% for each in findings %}\n{{ each.update({}) }}{% endfor %}", 2, "'update' of 'dict' object is unsafe"),
    ],
)
def test_a_broken_template_is_named_with_its_line_before_anything_else_happens(
    tmp_path: Path, template: str, line: int, complaint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        with_templates(tmp_path, about=template)

    assert f"{tmp_path}/about.html: line {line}: " in str(raised.value)
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


ON_REAL_DATA = [
    "{% for each in findings if each.rule_id == 'OAU003' %}\n{{ each.nothing }}{% endfor %}",
    "{% for each in findings if each.status == 'reopened' and each.tone == 'critical' %}\n{{ 1 / 0 }}{% endfor %}",
    "{% for each in findings if each.decision and each.waived %}\n{{ 1 / 0 }}{% endfor %}",
    "{% for each in organizations if each.status == 'mismatch' %}\n{{ each.reason.nothing }}{% endfor %}",
    "{% for each in tokens if each.rotation == 'seen' %}\n{{ 1 / 0 }}{% endfor %}",
    "{% for each in tokens %}\n{{ each.subject.split('badges')[1] }}{% endfor %}",
    "{% for each in decisions if each.tone == 'overdue' %}\n{{ each.nothing }}{% endfor %}",
    "{% for each in applications if each.creator == '–' %}\n{{ 1 / 0 }}{% endfor %}",
    "{% for each in rules if not each.open %}\n{{ each.open + 1 }}{% endfor %}",
    "{% if outcome == 'violations' %}\n{{ 1 / 0 }}{% endif %}",
    "{% if outcome == 'pass' and tally.tokens %}\n{{ 1 / 0 }}{% endif %}",
    "{% if more_unseen and more_unaudited and broken and limitations %}\n{{ 1 / 0 }}{% endif %}",
    "{% if many_findings > most_rows %}\n{{ 1 / 0 }}{% endif %}",
    "\n{{ changes.since }}",
    "{% for each in changes.resolved if changes %}\n{{ each.first.upper() }}{% endfor %}",
    "\n{{ findings[0].subject }}",
    "{% macro again() %}\n{{ again() }}{% endmacro %}\n{{ again() }}",
    "\n{{ 'x' * 4611686018427387904 }}",
]
"""What fails on some real audit only: the made-up ones have that too."""


@pytest.mark.parametrize("template", mostly_in_proof(ON_REAL_DATA))
def test_a_template_that_fails_on_some_audit_only_fails_before_anything_is_asked(tmp_path: Path, template: str) -> None:
    with pytest.raises(UsageError, match=r"about\.html: line 2: "):
        with_templates(tmp_path, about=template)


@pytest.mark.parametrize("macro", re.findall(r"{% macro (\w+)\(", (FOLDER / "macros.html").read_text()))
def test_macros_of_ones_own_that_lack_one_are_named(tmp_path: Path, macro: str) -> None:
    ours = (FOLDER / "macros.html").read_text()

    with pytest.raises(UsageError) as raised:
        with_templates(tmp_path, macros=ours.replace(f"macro {macro}(", f"macro another_{macro}("))

    assert re.match(rf"{tmp_path}/macros\.html: .*{macro}", str(raised.value))
    assert "\n" not in str(raised.value)


def test_macros_that_take_other_arguments_than_ours_are_named(tmp_path: Path) -> None:
    ours = (FOLDER / "macros.html").read_text()

    with pytest.raises(UsageError, match=r"macros\.html: macro 'token_row' takes .*, as our tokens\.html needs it"):
        with_templates(tmp_path, macros=ours.replace("macro token_row(row)", "macro token_row()"))


def test_our_own_templates_show_whatever_an_audit_can_hold() -> None:
    for made_up in made_up_pages(PLAIN):
        page = b"".join(templates(None).page(made_up))
        assert page.endswith(b"</html>\n") or page.rstrip().endswith(b"</html>")


def test_a_style_that_would_end_itself_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "report.css").write_text("body {}\n/* </STYLE> */")

    with pytest.raises(UsageError, match=r"report\.css: line 2: </style would end it there"):
        read_presentation(ReportSettings(templates=tmp_path))


def test_a_template_that_breaks_on_the_real_audit_alone_is_named_too(tmp_path: Path) -> None:
    audit = of_all_kinds()
    broken = with_templates(tmp_path, about="{% if tally.tokens == 6 %}\n{{ 1 / 0 }}\n{% endif %}")

    with pytest.raises(UsageError, match=r"about\.html: line 2: division by zero"):
        rendered("html", replace(audit, presentation=broken))


def test_a_template_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "report.css").write_bytes(b"\xff\xfe")

    with pytest.raises(UsageError, match=r"report\.css cannot be read \(it is not UTF-8 text\)"):
        read_presentation(ReportSettings(templates=tmp_path))


def test_a_folder_that_replaces_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file in .* takes the place of one of about\.html, "):
        with_templates(tmp_path, abuot="")
