"""Las extensiones de Sphinx del libro: páginas corregidas, corridas comparadas y docstrings en español."""

import json
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

from tarea4.report import drawing, html
from tarea4.report.record import source_digest

BOOK = Path(__file__).parents[2] / "book"
THEIRS = (
    '<script defer src="_static/scripts/fontawesome.js"></script><script>DOCUMENTATION_OPTIONS.pagename = 1;</script>'
    '<script src="_static/doctools.js"></script><script defer="defer" src="mathjax/tex-svg.js"></script>'
    '<nav aria-label="Main"></nav><div class="tabla"><th></th></div>'
)
DONE = nb.new_code_cell("1 + 1", execution_count=1)
FAILED = nb.new_code_cell("1 / 0", execution_count=2, outputs=[nb.new_output("error", ename="ZeroDivisionError")])


def glued_output(name, text):
    """La salida de `glue(name, text, display=False)`."""
    return nb.new_output(
        "display_data",
        {"application/papermill.record/text/plain": repr(text)},
        metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
    )


def result(model, mean, quantity="pérdida", split="prueba", spread=0.001, n=5):
    return {"model": model, "quantity": quantity, "split": split, "mean": mean, "spread": spread, "n": n}


def notebook(path, results=(), verdict="mejor", parameters=None, chapter="q1", sources=("a = 1", "b = 2"), **other):
    """Cuaderno que anotó eso de su ejecución, con los metadatos de papermill que escribiría otro programa."""
    shown = nb.new_output(
        "display_data", {"text/markdown": "A la vista."}, metadata={"scrapbook": {"name": "q1_answer"}}
    )
    noted = {
        "parameters": {"epochs": 50, "data_path": None} | (parameters or {}),
        "data": {"digest": "mnist", "description": "MNIST: 10 clases."},
        "cells": [source_digest(source) for source in ("", *sources)],
        "verdict": verdict,
        "results": list(results),
        "date": f"2026-11-23T16:52:0{len(path.stem) % 10}+00:00",
        "versions": {"keras": "3.15.1"},
    } | other
    outputs = [nb.new_output("stream", text="otra cosa"), shown, glued_output(f"{chapter}_verdict", verdict)]
    outputs.append(glued_output(f"{chapter}_record", json.dumps(noted)))
    cells = [nb.new_code_cell(source, execution_count=i) for i, source in enumerate(sources, 1)]
    cells[-1].outputs = outputs
    theirs = {"papermill": {"parameters": {"epochs": 7, "dropout": 0.9}}}
    path.parent.mkdir(exist_ok=True)
    path.write_text(nb.writes(nb.new_notebook(cells=cells, metadata=theirs)), encoding="utf-8")
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


def test_intervals_are_counted_once():
    """Los de las frases y los de las tablas, una vez cada uno; ni listas de semillas ni lo que guarda `glue`."""
    said = {"text/markdown": "Gana (intervalo del 95 % [−0,0355; −0,0252]). Caería en [96,54 %; 97,24 %] y [1,0; 2,5]."}
    cells = [
        {"output_type": "execute_result", "data": said | {"text/plain": "[0,1; 0,2]"}, "metadata": {}},
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"text/html": "<td>[0,10; 0,20]</td><td>[0, 1, 2]</td>"},
        },
        {
            "output_type": "display_data",
            "metadata": {},
            "data": {"application/papermill.record/text/plain": "[0,1; 2,0]"},
        },
    ]
    outputs = [
        nb.output_from_msg({"header": {"msg_type": c["output_type"]}, "content": c | {"execution_count": 1}})
        for c in cells
    ]
    notebook = nb.new_notebook(cells=[nb.new_markdown_cell("[0,1; 0,2]"), nb.new_code_cell("1", outputs=outputs)])
    assert executions.intervals(notebook) == 4


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


@pytest.fixture
def published(tmp_path):
    """Un capítulo publicado, con dos redes."""
    results = [result("simple", 0.1), result("simple", 0.97, "exactitud"), result("regularizado", 0.08)]
    results += [result("regularizado", 0.98, "exactitud"), result("regularizado", 0.07, split="validación")]
    return notebook(tmp_path / "q1.ipynb", results)


def read(path):
    """La frase y las filas de una corrida."""
    soup = BeautifulSoup(reruns.compare(path), "html.parser")
    return soup.p, [[cell.text for cell in row("td")] for row in soup.tbody("tr")]


def test_unfinished_notebook_is_refused(tmp_path, published):
    """Un cuaderno que no llegó a su veredicto, o no anotó sus resultados, no entra en el libro, y se dice cuál es."""
    path = notebook(tmp_path / "corridas" / "q4-rota.ipynb")
    for left, sentence in (("q1_verdict", "no anotó sus resultados"), ("q1_answer", "no llegó a su veredicto")):
        found = nb.reads(path.read_text("utf-8"))
        found.cells[-1].outputs = [
            output
            for output in found.cells[-1].outputs
            if output.get("metadata", {}).get("scrapbook", {}).get("name") == left
        ]
        (tmp_path / "corridas" / "q4-rota.ipynb").write_text(nb.writes(found), "utf-8")
        with pytest.raises(ExtensionError, match=rf"q4-rota\.ipynb {sentence}"):
            reruns.compare(path)
        path = notebook(tmp_path / "corridas" / "q4-rota.ipynb")


def test_each_network_is_compared_with_itself(tmp_path, published):
    """Una red se compara con la publicada de su nombre, esté donde esté; la que no tiene pareja, con ninguna."""
    mine = [result("regularizado", 0.09, n=1), result("regularizado", 0.975, "exactitud"), result("mía", 0.5)]
    mine.append(result("mía", 0.5, split="validación"))
    _, rows = read(notebook(tmp_path / "corridas" / "otra.ipynb", mine, "peor"))
    assert rows == [
        ["", "veredicto", "mejor", "peor", "cambia"],
        ["regularizado", "pérdida, prueba", "0,0800 ± 0,0010", "0,0900", "+0,0100"],
        ["regularizado", "exactitud (%), prueba", "98,00 ± 0,10", "97,50 ± 0,10", "−0,50"],
        ["mía", "pérdida, prueba", "—", "0,5000 ± 0,0010", "sin pareja"],
    ]


def test_a_run_is_told_by_what_it_recorded(tmp_path, published):
    """Los parámetros, los datos, la fecha y las versiones son los que anotó, y no los metadatos de nadie; sin HTML."""
    path = notebook(tmp_path / "corridas" / "a # b%.ipynb", parameters={"data_path": "<b>", "epochs": 3})
    said, _ = read(path)
    assert [code.text for code in said("code")] == ["epochs = 3", "data_path = <b>"]
    assert (said.a["href"], said.a.text) == ("corridas/a%20%23%20b%25.html", "a # b%")
    assert "MNIST: 10 clases. Se ejecutó el 23 de noviembre de 2026, con keras 3.15.1." in said.text
    assert not said("strong")
    said, _ = read(notebook(tmp_path / "corridas" / "igual.ipynb"))
    assert "los parámetros publicados" in said.text


def test_other_data_are_compared_with_nothing(tmp_path, published):
    """Con otros datos no hay ninguna diferencia que enseñar, y se dice."""
    other = {"digest": "otros", "description": "«otros.npz»: 3 clases; OJO, pocas."}
    said, rows = read(notebook(tmp_path / "corridas" / "otra.ipynb", [result("simple", 0.2)], data=other))
    assert rows == [
        ["", "veredicto", "—", "mejor", "sin pareja"],
        ["simple", "pérdida, prueba", "—", "0,2000 ± 0,0010", "sin pareja"],
    ]
    assert "«otros.npz»: 3 clases; OJO, pocas." in said.text
    assert "no hay nada que comparar" in said.strong.text


def edit(path, change):
    """Lo que haría un editor: cambia celdas sin ejecutarlas."""
    found = nb.reads(path.read_text("utf-8"))
    change(found.cells)
    path.write_text(nb.writes(found), "utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        (lambda cells: cells[0].update(source="a = 3"), "cambió su celda de código 1"),
        (lambda cells: cells.insert(0, nb.new_code_cell("c = 3", execution_count=9)), "cambió su celda de código 1"),
        (lambda cells: cells.reverse(), "no se ejecutaron por orden"),
        (lambda cells: cells[1].update(execution_count=3), "cambió su celda de código 2"),
        (lambda cells: cells[0].update(source="a = 1\n"), None),
        (lambda cells: cells.insert(0, nb.new_markdown_cell("Prosa.")), None),
    ],
)
def test_an_edited_run_is_labelled(tmp_path, published, change, doubt):
    """Una celda cambiada, añadida, vuelta a ejecutar o movida después se avisa; la prosa y los blancos no cuentan."""
    said, _ = read(edit(notebook(tmp_path / "corridas" / "editada.ipynb"), change))
    assert [doubt in alert.text for alert in said("strong")] == ([True] if doubt else [])


def test_a_copied_chapter_is_labelled(tmp_path, published):
    """Una copia del capítulo publicado no pasa por otra ejecución."""
    copied = tmp_path / "corridas" / "copia.ipynb"
    copied.parent.mkdir()
    copied.write_bytes(published.read_bytes())
    said, rows = read(copied)
    assert "es una copia del capítulo publicado" in said.strong.text
    assert {row[-1] for row in rows} == {"igual", "+0,0000", "+0,00"}


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


def test_figures_are_counted_and_cited(tmp_path):
    """Una figura se cita por su número en el libro; dos páginas pueden repetir nombre; la que falta se dice."""
    config = yaml.safe_load((BOOK / "_config.yml").read_text("utf-8"))["sphinx"]["config"]
    drawn, _ = drawing.new_figure(2)
    shown = html.figure(drawn, "El pie.", "texto", name="brecha").data
    cited = f"# Q\n\n```{{raw}} html\n{shown}\n```\n\nLa {{figura}}`brecha` y la {{figura}}`otra`.\n"
    unnamed = f"```{{raw}} html\n{html.figure(drawn, 'Sin nombre.', 'texto').data}\n```\n"
    (tmp_path / "q1.md").write_text(f"{cited}\n{unnamed}\n```{{toctree}}\nq2\n```\n", encoding="utf-8")
    (tmp_path / "q2.md").write_text(cited, encoding="utf-8")
    overrides = {name: config[name] for name in ("numfig", "numfig_format", "language")}
    overrides |= {"extensions": ["myst_parser", "figures"], "root_doc": "q1"}
    Sphinx(tmp_path, None, tmp_path / "html", tmp_path, "html", overrides, status=None, warning=None).build()
    pages_shown = {"q1": ["Figura 1. El pie.", "Figura 2. Sin nombre."], "q2": ["Figura 3. El pie."]}
    for page, captions in pages_shown.items():
        soup = BeautifulSoup((tmp_path / "html" / f"{page}.html").read_text("utf-8"), "html.parser")
        assert [figure.figcaption.text for figure in soup("figure")] == captions
        assert f"La {captions[0].split('.')[0].lower()} y la figura que falta aquí." in soup.text
        (cited,) = soup.select("p a.reference[href^='#']")
        assert soup.find(id=cited["href"][1:]).figcaption.text == captions[0]
