"""`tarea4.report.html`: lo que llega a la página se lee, se describe y no lleva código."""

import base64

import pandas as pd
from bs4 import BeautifulSoup
from samples import cells

from tarea4.report import html
from tarea4.report.drawing import new_figure


def test_figure_carries_its_description():
    """La figura lleva su dibujo, su texto alternativo, su pie y, plegados, sus números; sin ellos no hay qué plegar."""
    figure, _ = new_figure(2, xlabel="épocas")
    shown = BeautifulSoup(html.figure(figure, "a < b", 'dice "hola"', pd.DataFrame({"x": ["0,1"]})).data, "html.parser")
    assert (shown.img["alt"], shown.figcaption.text) == ('dice "hola"', "a < b")
    kind, content = shown.img["src"].split(",", 1)
    assert kind == "data:image/svg+xml;base64"
    assert "<svg" in base64.b64decode(content).decode()
    assert shown.details.summary.text == "Los números de la figura"
    assert [shown.details.caption.text, shown.details.th.text, shown.details.td.text] == ["a < b", "x", "0,1"]
    assert "<details" not in html.figure(figure, "pie", "texto").data
    assert shown.figure["class"] == ["tarea4"]
    tall, _ = new_figure(9)
    assert '<figure class="tarea4 alta" id="brecha">' in html.figure(tall, "pie", "texto", name="brecha").data


def test_warnings_stand_out():
    """En una línea, cada aviso va en negrita y nada llega como HTML."""
    shown = BeautifulSoup(html.note("«a & b; <i>»: 2 clases; OJO, hay <b>; fin").data, "html.parser")
    assert shown.p.text == "«a & b; <i>»: 2 clases; OJO, hay <b>; fin"
    assert [tag.text for tag in shown.p.find_all()] == ["OJO, hay <b>"]


def test_a_table_is_styled_and_titled():
    """La tabla lleva su clase, un solo título, delante de la cabecera, y ningún borde suyo."""
    made = html.table(pd.DataFrame({"a": ["<thead>"]}), "T").data
    assert made.startswith('<div class="tabla"><table class="dataframe tarea4">\n  <caption>T</caption>\n<thead>')
    assert made.count("<caption>") == 1
    assert "&lt;thead&gt;" in made


def test_tables_escape_their_texts():
    """Ningún texto llega a la página como HTML: ni el título, ni un encabezado, ni una celda."""
    shown = html.table(pd.DataFrame({"<b>": ["<script>"]}), "<i>").data
    assert BeautifulSoup(shown, "html.parser").caption.text == "<i>"
    assert not {"<script>", "<b>", "<i>"} & {f"<{tag.name}>" for tag in BeautifulSoup(shown, "html.parser").find_all()}


def test_what_is_missing_is_a_dash():
    """Un hueco es una raya; el índice se enseña solo si se pide."""
    frame = pd.DataFrame({"a": [1.5, None]}, index=["x", "y"])
    assert cells(html.table(frame, "t")) == [["a"], ["1.5"], ["—"]]
    assert cells(html.table(frame, "t", index=True)) == [["", "a"], ["x", "1.5"], ["y", "—"]]
