"""Las extensiones de Sphinx del libro: páginas corregidas, corridas comparadas y docstrings en español."""

import re
from pathlib import Path

import api
import executions
import nbformat.v4 as nb
import pages
import pytest
import references
import reruns
import yaml
from bs4 import BeautifulSoup
from pybtex.database import Entry, Person, parse_file
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

BOOK = Path(__file__).parents[2] / "book"
THEIRS = (
    '<script defer src="_static/scripts/fontawesome.js"></script><script>DOCUMENTATION_OPTIONS.pagename = 1;</script>'
    '<script src="_static/doctools.js"></script><script defer="defer" src="mathjax/tex-svg.js"></script>'
    '<nav aria-label="Main"></nav><div class="tabla"><th></th></div>'
)
DONE = nb.new_code_cell("1 + 1", execution_count=1)
FAILED = nb.new_code_cell("1 / 0", execution_count=2, outputs=[nb.new_output("error", ename="ZeroDivisionError")])


def notebook(path, **glued):
    """Cuaderno que guardó con `glue` los textos `glued`, con los parámetros que anota papermill."""
    outputs = [
        nb.new_output(
            "display_data",
            {"application/papermill.record/text/plain": repr(text)},
            metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
        )
        for name, text in glued.items()
    ]
    shown = nb.new_output(
        "display_data", {"text/markdown": "A la vista."}, metadata={"scrapbook": {"name": "q1_answer"}}
    )
    others = [nb.new_output("stream", text="otra cosa"), shown]
    cell = nb.new_code_cell("1", execution_count=1, outputs=[*others, *outputs])
    parameters = {"papermill": {"parameters": {"data_path": "<b>"}}}
    path.parent.mkdir(exist_ok=True)
    path.write_text(nb.writes(nb.new_notebook(cells=[cell], metadata=parameters)), encoding="utf-8")
    return path


def test_mended_page():
    """Se quita lo que sobra, se traduce, el texto no espera a los guiones, y corregir dos veces no cambia nada."""
    ours = pages.mend(THEIRS)
    assert "fontawesome" not in ours
    assert "tex-svg" not in ours
    assert '<script defer src="_static/doctools.js">' in ours
    assert "<script>DOCUMENTATION_OPTIONS" in ours
    assert 'aria-label="Índice del libro"' in ours
    assert "<th></th>" not in ours
    assert pages.mend(ours) == ours
    assert "tex-svg" in pages.mend(THEIRS + '<span class="math notranslate">')


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "está cortado"),
        ("[]", "está cortado"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "está cortado"),
        (nb.writes(nb.new_notebook(cells=[nb.new_code_cell("1 + 1", execution_count=1)]))[:-20], "está cortado"),
        (nb.writes(nb.new_notebook(cells=[DONE, nb.new_code_cell("2")])), "no se ejecutó desde su celda de código 2"),
        (nb.writes(nb.new_notebook(cells=[DONE, FAILED])), "falló en su celda de código 2"),
    ],
    ids=["vacío", "otro JSON", "sin celdas", "cortado", "a medias", "con un error"],
)
def test_unfinished_notebook_is_named(content, sentence):
    """Un cuaderno cortado, a medias o con un error se rechaza por su nombre."""
    with pytest.raises(ExtensionError, match=rf"q1-rota\.ipynb {sentence}"):
        pages.executed("q1-rota.ipynb", content)


def test_finished_notebook_is_accepted():
    """Un cuaderno ejecutado entero se acepta, aunque tenga prosa y celdas de código vacías, que no se ejecutan."""
    cells = [nb.new_markdown_cell("Prosa."), DONE, nb.new_code_cell("")]
    assert len(pages.executed("q1.ipynb", nb.writes(nb.new_notebook(cells=cells))).cells) == 3


def test_executions_row():
    """La fila de un cuaderno dice cuándo, con qué, dónde y de qué código salió; sin anotar, que no consta."""
    recorded = {
        "date": "2026-11-23T16:52:05+00:00",
        "seconds": 41.6,
        "versions": {"python": "3.11.7", "keras": "3.15.1"},
        "machine": "Un procesador, 2 núcleos",
        "state": "0123456789abcdef",
    }
    assert executions.row("q1", recorded) == [
        "q1", "2026-11-23 16:52", "42", "python 3.11.7, keras 3.15.1", "Un procesador, 2 núcleos", "0123456789ab"
    ]  # fmt: skip
    assert set(executions.row("q1", {})[1:]) == {"no consta"}


def test_unfinished_notebook_is_refused(tmp_path):
    """Un cuaderno que no llegó a su veredicto no entra en el libro, y se dice cuál es."""
    with pytest.raises(ExtensionError, match=r"q4-rota\.ipynb no llegó a su veredicto"):
        reruns.compare(notebook(tmp_path / "corridas" / "q4-rota.ipynb"))


def test_rerun_table(tmp_path):
    """La tabla de una corrida da cada cifra, la publicada y la diferencia con su signo; un parámetro no es HTML."""
    notebook(
        tmp_path / "q4.ipynb", q4_verdict="mejor", q4_today="pérdida 0,0811 ± 0,0010 y exactitud 97,52 % en prueba"
    )
    rerun = {"q4_verdict": "peor", "q4_today": "pérdida 0,1000 y exactitud 97,12 % en prueba"}
    table = reruns.compare(notebook(tmp_path / "corridas" / "otra.ipynb", **rerun))
    rows = [[cell.text for cell in row("td")] for row in BeautifulSoup(table, "html.parser").tbody("tr")]
    assert rows == [
        ["veredicto", "mejor", "peor", "cambia"],
        ["pérdida", "0,0811", "0,1000", "+0,0189"],
        ["exactitud", "97,52", "97,12", "−0,40"],
    ]
    assert '<a href="corridas/otra.html">otra</a>: <code>data_path = &lt;b&gt;</code>' in table


def test_types_are_translated():
    """En una docstring se traducen los tipos y la sección de atributos, y no la prosa."""
    lines = [
        "Una frase of prueba.",
        "Attributes",
        "x, y : ndarray of float32, shape (n,)",
        "path : str or Path, optional",
    ]
    api.translate_types(None, "class", "X", None, None, lines)
    assert lines[:2] == ["Una frase of prueba.", "Atributos"]
    assert lines[2:] == ["x, y : ndarray de float32, forma (n,)", "path : str o Path, opcional"]


def format_reference(kind, author, editor="", **fields):
    """Una referencia, como texto, con sus espacios duros como espacios."""
    people = {"author": author, "editor": editor}
    persons = {role: [Person(name) for name in names.split(", ")] for role, names in people.items() if names}
    text = str(references.Style().format_entry("1", Entry(kind, fields, persons)).text)
    return text.replace("<nbsp>", " ").replace("<newblock>", " ")


def test_references_are_in_spanish():
    """Lo que pybtex añade se dice en español; los títulos y nombres quedan en su lengua."""
    incollection = {"title": "Of volumes and pages", "booktitle": "Pages in edition", "pages": "1--9", "volume": "3"}
    incollection |= {"series": "In and of", "publisher": "Roe and Doe", "year": "2020", "edition": "2.ª"}
    assert format_reference("incollection", "Ana Ruiz, John Doe, Luis Gil", "Eva Gil, Tom Roe", **incollection) == (
        "Ana Ruiz, John Doe y Luis Gil. Of volumes and pages. En Eva Gil y Tom Roe, eds., Pages in edition, "
        "volumen 3 de In and of, páginas 1–9. Roe and Doe, 2.ª edición, 2020."
    )
    thesis = {"title": "In", "school": "S", "year": "1", "url": "https://a.b", "urldate": "1 de mayo"}
    thesis = format_reference("phdthesis", "Ana Ruiz, John Doe", **thesis)
    assert thesis == "Ana Ruiz y John Doe. In. Tesis doctoral, S, 1. URL: https://a.b (visto el 1 de mayo)."


def test_the_page_of_references_uses_the_style(tmp_path):
    """«Referencias», construida con la configuración del libro, las tiene todas y ninguna dice «and» ni «In»."""
    config = yaml.safe_load((BOOK / "_config.yml").read_text("utf-8"))
    assert config["sphinx"]["local_extensions"]["references"] == "_ext"
    for name in ("referencias.md", *config["bibtex_bibfiles"]):
        (tmp_path / name).write_bytes((BOOK / name).read_bytes())
    overrides = {
        "extensions": ["myst_parser", "sphinxcontrib.bibtex", "references"],
        "root_doc": "referencias",
        "bibtex_bibfiles": config["bibtex_bibfiles"],
    }
    Sphinx(tmp_path, None, tmp_path / "html", tmp_path, "html", overrides, status=None).build()
    soup = BeautifulSoup((tmp_path / "html" / "referencias.html").read_text("utf-8"), "html.parser")
    shown = [" ".join(entry.text.split()) for entry in soup.select(".citation")]
    entries = parse_file(tmp_path / "referencias.bib").entries
    assert len(shown) == len(entries)
    assert sum(" y " in text for text in shown) == sum(
        any(len(people) > 1 for people in entry.persons.values()) for entry in entries.values()
    )
    assert sum(" En " in text for text in shown) == sum("booktitle" in entry.fields for entry in entries.values())
    assert not [text for text in shown if re.search(r", and |\. In |\bvolume\b|editors", text)]
