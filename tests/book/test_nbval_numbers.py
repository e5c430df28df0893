"""La comparación de cifras con tolerancia, con salidas de los cuadernos publicados estropeadas de una en una."""

import ast
import copy
import functools
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbval_invariants import broken
from nbval_numbers import KINDS, differences
from nbval_reading import TOKEN, read, tables, to_float

ROOT = Path(__file__).parents[2]
NAMES = ["q1", "q2", "q3", "q4", "q5"]
HTML, MARKDOWN = "text/html", "text/markdown"
RESULTS, CURVE, CONFUSION = "Pérdida y exactitud de", "Pérdida de entrenamiento", "Matrices de confusión"


@functools.cache
def outputs(name):
    """Las salidas de un cuaderno publicado, por orden."""
    notebook = nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def published(name, mime, text):
    """La primera salida de un cuaderno, de ese tipo, que casa con el texto."""
    contents = [output.text if mime == "stdout" else output.get("data", {}).get(mime) for output in outputs(name)
                if mime != "stdout" or output.output_type == "stream"]  # fmt: skip
    return next(content for content in contents if content and re.search(text, content))


def compare(old, new, mime=HTML, **limits):
    """Las diferencias entre dos salidas del mismo tipo."""
    return [*differences(read(mime, old), read(mime, new), limits)]


def spanish(value, decimals):
    """Una cifra como las escribe el libro."""
    return f"{value:,.{decimals}f}".replace(",", "\xa0").replace(".", ",").replace("-", "−")


def moved(text, by, which=0):
    """El texto con una de sus cifras cambiada en `by`, y la cifra nueva."""
    token = [token for token in TOKEN.finditer(text) if token["number"]][which]
    new = spanish(to_float(token[0]) + by, len(token[0].partition(",")[2]))
    return text[: token.start()] + new + text[token.end() :], new


def find_cell(soup, row, column, caption=""):
    """La celda de una fila y una columna de la primera tabla cuyo título empieza así."""
    table = next(table for table in soup("table") if table.caption.get_text().startswith(caption))
    header, *rows = ([cell for cell in line(["th", "td"])] for line in table("tr"))
    titles = [title.get_text() for title in header]
    line = next(line for line in rows if [cell.get_text() for cell in line][: len(row)] == row)
    return line[titles.index(column)]


def edited(html, row, column, edit):
    """La salida con el texto de una celda cambiado por `edit`."""
    soup = BeautifulSoup(html, "html.parser")
    cell = find_cell(soup, row, column)
    cell.string = edit(cell.get_text())
    return str(soup)


SOFTMAX = "softmax con entropía cruzada"
CELLS = {
    "accuracy": ("q1", RESULTS, ["Exactitud (%), prueba"], "simple", 0.4, 0.6, "exactitud"),
    "accuracy, fracción": ("q1", "Exactitud de entren", ["3"], "simple, validación", 0.004, 0.006, "exactitud"),
    "accuracy, semilla": ("q2", "Exactitud de prueba de", ["0"], SOFTMAX, 0.9, 1.1, "exactitud"),
    "accuracy, con la semilla": ("q2", "Exactitud frente", [SOFTMAX], "Exactitud", 0.9, 1.1, "exactitud"),
    "accuracy, título": ("q2", "Exactitud evaluada", [SOFTMAX], "Prueba", 0.4, 0.6, "exactitud"),
    "accuracy, de su clase": ("q5", "Las confusiones", [], "De su clase", 0.4, 0.6, "exactitud"),
    "loss": ("q1", RESULTS, ["Pérdida, validación"], "regularizado", 0.019, 0.021, "pérdida"),
    "loss, curva": ("q1", CURVE, ["12"], "simple, validación", 0.019, 0.021, "pérdida"),
    "loss, semilla": ("q4", "Pérdida de validación de", ["0"], "dropout 0,20, sin alfas", 0.029, 0.031, "pérdida"),
    "epoch": ("q1", RESULTS, ["Mejor época"], "simple", 7.9, 8.1, "época"),
    "epoch, columna": ("q2", "Exactitud evaluada", [SOFTMAX], "Mejor época", 7.9, 8.1, "época"),
    "epoch, semilla": ("q3", "Época en que", ["0"], "entrenamiento, corriente", 12, 13, "época"),
    "ece": ("q2", "Error de calibración", ["0"], SOFTMAX, 0.004, 0.006, "calibración"),
    "confidence": ("q2", "Exactitud frente", [SOFTMAX], "Confianza", 1.9, 2.1, "probabilidad"),
    "share": ("q1", "Los pesos de la primera", ["0"], "regularizado", 3.9, 4.1, "reparto"),
    "images": ("q1", CONFUSION, ["simple", "3"], "5", 40, 41, "imágenes"),
    "images, columna": ("q2", "Exactitud frente", [SOFTMAX], "Imágenes", 40, 41, "imágenes"),
}
SENTENCES = {
    "accuracy": ("q1", MARKDOWN, r"de prueba, la exactitud.*?\(diferencia de (\S+) puntos", 0.4, 0.6, "exactitud"),
    "accuracy, intervalo": ("q1", MARKDOWN, r"puntos, intervalo del 95\s% \[(\S+);", 0.4, 0.6, "exactitud"),
    "accuracy, glue": ("q1", "application/papermill.record/text/plain", r"exactitud (\S+)", 0.4, 0.6, "exactitud"),
    "accuracy, alternativo": (
        "q2",
        HTML,
        rf'alt="Exactitud de prueba media.*?{SOFTMAX}, (\S+)\s%',
        0.4,
        0.6,
        "exactitud",
    ),
    "loss": ("q1", MARKDOWN, r"En validación, la pérdida.*?\(diferencia de (\S+),", 0.019, 0.021, "pérdida"),
    "loss, intervalo": (
        "q1",
        MARKDOWN,
        r"diferencia de \S+, intervalo del 95\s% \[\S+; (\S+)\]",
        0.019,
        0.021,
        "pérdida",
    ),
    "ece": ("q2", "application/papermill.record/text/plain", r"ECE (0,\S+)", 0.002, 0.004, "calibración"),
    "epoch": ("q3", MARKDOWN, r"entre las épocas (\d+) y", 12, 13, "época"),
    "epoch, segunda": ("q3", MARKDOWN, r"entre las épocas \d+ y (\d+)", 12, 13, "época"),
    "reaching": ("q3", HTML, r"<td>(\d) de 5, e", -2, -3, "semillas que llegan"),
    "mcnemar": ("q1", MARKDOWN, r"acierta (\d+) imágenes", 60, 61, "imágenes que solo"),
    "mcnemar, otro": ("q1", MARKDOWN, r"y el \w+, (\d+) imágenes \(McN", -60, -61, "imágenes que solo"),
    "wins": ("q1", MARKDOWN, r"gana con (\d+) de", -6, -7, "semillas con que gana"),
    "place": ("q4", MARKDOWN, r"el puesto (\d+)", 3, 4, "puesto"),
    "share": ("q1", MARKDOWN, r"en el simple, el (\S+) ±", 1.9, 2.1, "reparto"),
    "share, intervalo": ("q1", MARKDOWN, r"difiere en \S+ puntos, intervalo del 95\s% \[(\S+);", 1.9, 2.1, "reparto"),
    "p": ("q1", MARKDOWN, r"p < (\S+?)\)", 0.15, 0.18, "valor p"),
    "late": ("q4", MARKDOWN, r"podrían mejorar:.*?, (\d) de", 4, 5, "semillas que acaban tarde"),
}
EXACT = {
    "imágenes": ("q1", HTML, r"entrenan ([\d\xa0]+)"),
    "semillas": ("q1", MARKDOWN, r"(\d) semillas\)"),
    "confianza": ("q1", MARKDOWN, r"intervalo del (\d+)"),
    "de la prueba": ("q1", MARKDOWN, r"Sobre ([\d\xa0]+) imágenes"),
    "modelos": ("q4", MARKDOWN, r"entre los (\d+) ajustes"),
    "hiperparámetro": ("q4", MARKDOWN, r"dropout (\S+),"),
    "ensayos": ("q4", "stdout", r"(\d+) ensayos"),
    "ejemplo inventado": ("q2", HTML, r"<td>(0,936)</td>"),
    "parámetros": ("q3", HTML, r"<caption>\s*([\d\xa0]+) parámetros"),
    "época de la curva": ("q1", HTML, r"<td>(3)</td>\s*<td>0,"),
    "semillas de la tabla": ("q1", HTML, r"<th>Semillas</th>\s*<td>(\d)"),
    "parámetros de la tabla": ("q1", HTML, r"<th>Parámetros</th>\s*<td>([\d\xa0]+)"),
    "año": ("q4", MARKDOWN, r"noviembre de (\d+)"),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_published_equals_itself(name):
    """Sin cambios no hay diferencias, y los invariantes se cumplen."""
    for output in outputs(name):
        for mime, content in output.get("data", {"stdout": output.get("text")}).items():
            assert not compare(content, copy.deepcopy(content), mime.removeprefix("application/papermill.record/"))
    assert not [*broken(outputs(name), outputs(name))]


@pytest.mark.parametrize("case", CELLS)
def test_a_cell_moves_within_its_tolerance(case):
    """Una cifra de una tabla pasa si se mueve poco; si no, se dice dónde está, cuánto vale y cuánto valía."""
    name, caption, row, column, within, beyond, label = CELLS[case]
    html = published(name, HTML, f"<caption>{caption}")
    for sign in (1, -1):
        assert not compare(html, edited(html, row, column, lambda text, by=sign * within: moved(text, by)[0]))
    old = find_cell(BeautifulSoup(html, "html.parser"), row, column).get_text()
    new, number = moved(old, beyond)
    [message] = compare(html, edited(html, row, column, lambda _: new))
    assert f"tabla «{caption}" in message
    assert re.search(rf"fila \d+ \(«{re.escape(', '.join(row))}.*»\), columna «{re.escape(column)}», en", message)
    assert f": {TOKEN.search(old)[0]} guardado, {number} ahora; tolerancia " in message
    assert label in message.partition("tolerancia")[2]


@pytest.mark.parametrize("case", SENTENCES)
def test_a_number_in_a_sentence_moves_within_its_tolerance(case):
    """Lo mismo en una frase, que da las palabras de alrededor."""
    name, mime, pattern, within, beyond, label = SENTENCES[case]
    text = published(name, mime, f"(?s){pattern}")
    start, end = re.search(f"(?s){pattern}", text).span(1)
    inner = mime.removeprefix("application/papermill.record/")
    fine, wrong = (moved(text[start:end], by) for by in (within, beyond))
    assert not compare(text, text[:start] + fine[0] + text[end:], inner)
    [message] = compare(text, text[:start] + wrong[0] + text[end:], inner)
    assert re.search(rf"en «.*{re.escape(text[start:end])}.*»: \S+ guardado, {wrong[1]} ahora; tolerancia", message)
    assert label in message.partition("tolerancia")[2]


@pytest.mark.parametrize("case", EXACT)
def test_what_does_not_vary_is_exact(case):
    """Lo que no depende del procesador no se mueve ni en una unidad de su última cifra."""
    name, mime, pattern = EXACT[case]
    text = published(name, mime, pattern)
    start, end = re.search(pattern, text).span(1)
    unit = 10 ** -len(text[start:end].partition(",")[2]) if "," in text[start:end] else 1
    messages = compare(text, text[:start] + moved(text[start:end], unit)[0] + text[end:], mime)
    assert messages
    assert "tolerancia 0 (exacta)" in messages[0] or "donde había" in messages[0]


def test_a_spread_has_the_tolerance_of_its_mean():
    """La desviación típica se mueve como su media."""
    html = published("q1", HTML, f"<caption>{RESULTS}")
    for row, within, beyond in (("Pérdida, prueba", 0.019, 0.021), ("Mejor época", 7.9, 8.1)):
        assert not compare(html, edited(html, [row], "simple", lambda text, by=within: moved(text, by, 1)[0]))
        assert compare(html, edited(html, [row], "simple", lambda text, by=beyond: moved(text, by, 1)[0]))


@pytest.mark.parametrize(
    ("name", "mime", "pattern"),
    [
        ("q1", "stdout", r"duró (\d+) s"),
        ("q3", "stdout", r"(\d+) s de"),
        ("q1", HTML, r"tarda (\S+) ±"),
        ("q1", HTML, r"tarda \S+ ±\s(\S+) s"),
    ],
)
def test_seconds_are_not_compared(name, mime, pattern):
    """La duración puede ser cualquiera, pero tiene que estar."""
    text = published(name, mime, pattern)
    start, end = re.search(pattern, text).span(1)
    seconds = re.sub(r"\d+", "777", text[start:end])
    assert not compare(text, text[:start] + seconds + text[end:], mime)
    assert compare(text, text[:start] + text[end:], mime)


def test_a_column_of_seconds_is_not_compared():
    """Ni las columnas de segundos, y solo ellas."""
    html = published("q2", HTML, "<caption>Exactitud evaluada")
    assert not compare(html, edited(html, [SOFTMAX], "Segundos", lambda _: "999,00 ±\xa099,00"))
    assert compare(html, edited(html, [SOFTMAX], "Segundos", lambda _: "—"))


def test_a_transposed_confusion_matrix_fails():
    """Aunque cada cuenta se parezca a la de enfrente, las clases dejan de sumar lo mismo."""
    html = published("q1", HTML, f"<caption>{CONFUSION}")
    soup = BeautifulSoup(html, "html.parser")
    [table] = tables(html)
    for model in ("simple", "regularizado"):
        for i in range(10):
            for j in range(10):
                line = next(line for line in table.rows if line[:2] == [model, str(j)])
                find_cell(soup, [model, str(i)], str(j)).string = line[2 + i]
    found = [*broken([{"data": {HTML: html}}], [{"data": {HTML: str(soup)}}])]
    assert [re.search("«(.*?)»: sus filas ya no suman", message)[1] for message in found] == ["simple", "regularizado"]


def test_a_curve_raised_by_three_fails():
    """Toda la curva está mal, y se dicen todas sus épocas y lo que se mueve cada una de sus columnas."""
    html = published("q1", HTML, f"<caption>{CURVE}")
    raised = re.sub(r"<td>(\d,\d{4})</td>", lambda match: f"<td>{moved(match[1], 3)[0]}</td>", html)
    found = compare(html, raised)
    assert len([each for each in found if "fila" in each]) == len(re.findall(r"<td>\d,\d{4}</td>", html))
    means = [each for each in found if "de media, +3,0000; tolerancia 0,006 (pérdida)" in each]
    assert len(means) == len(found) - len(re.findall(r"<td>\d,\d{4}</td>", html)) == 18  # dos redes, tres sentidos


@pytest.mark.parametrize(("by", "column", "fails"), [
    (0.08, "simple, validación, máx.", False), (0.10, "simple, validación, máx.", True),
    (0.018, "simple, validación", False), (0.022, "simple, validación", True),
])  # fmt: skip
def test_a_point_of_a_curve_may_jump(by, column, fails):
    """En una sola época, el extremo de las semillas puede dar un salto; la media de todas, uno mucho menor."""
    html = published("q1", HTML, f"<caption>{CURVE}")
    assert bool(compare(html, edited(html, ["42"], column, lambda text: moved(text, by)[0]))) == fails


@pytest.mark.parametrize(("sign", "fails"), [(1, True), (-1, False)])
def test_a_whole_curve_may_not_move(sign, fails):
    """Si todas las épocas se mueven poco y hacia el mismo lado, es otra curva; si es a un lado y a otro, no."""
    html, by = published("q1", HTML, f"<caption>{CURVE}"), itertools.cycle([0.008, sign * 0.008])
    shifted = html
    for epoch in range(1, 51):
        change = next(by)
        shifted = edited(shifted, [str(epoch)], "simple, validación", lambda text, by=change: moved(text, by)[0])
    assert bool(compare(html, shifted)) == fails
    assert not compare(html, shifted, curve=0.009)


def test_an_accuracy_given_as_a_fraction_fails():
    """97,21 % no es 0,9721."""
    html = published("q1", HTML, f"<caption>{RESULTS}")
    row = ["Exactitud (%), validación"]
    assert compare(html, edited(html, row, "simple", lambda text: spanish(to_float(text.split()[0]) / 100, 4)))
    assert compare(html, edited(html, row, "simple", lambda text: moved(text, -96.3)[0]))


@pytest.mark.parametrize("headers_too", [True, False])
def test_swapped_columns_fail(headers_too):
    """Cambian los títulos o, si no, las cifras dejan de ser las de su columna."""
    html = published("q1", HTML, f"<caption>{RESULTS}")
    soup = BeautifulSoup(html, "html.parser")
    for line in soup("tr")[0 if headers_too else 1 :]:
        *_, a, b = line(["th", "td"])
        a.string, b.string = b.get_text(), a.get_text()
    messages = compare(html, str(soup))
    assert any(
        ("simple" in message and "regularizado" in message) or "Pérdida, validación" in message for message in messages
    )


@pytest.mark.parametrize("other", ["—", "no definido", "∞", "−∞", "", "nan", "0,0983 0,0983"])
def test_a_number_on_one_side_only_fails(other):
    """Falta, sobra o no es finita: da igual en qué lado."""
    html = published("q1", HTML, f"<caption>{RESULTS}")
    changed = edited(html, ["Pérdida, validación"], "simple", lambda _: other)
    for pair in ((html, changed), (changed, html)):
        [message] = compare(*pair)
        assert "fila 7 («Pérdida, validación»), columna «simple»" in message
    assert not compare(changed, changed)


def test_missing_rows_and_tables_fail():
    """La forma de la salida también cuenta."""
    html = published("q1", HTML, f"<caption>{RESULTS}")
    soup = BeautifulSoup(html, "html.parser")
    soup("tr")[3].extract()
    [message] = compare(html, str(soup))
    assert "donde había" in message
    soup("table")[0].extract()
    assert "donde había tabla «" in compare(html, str(soup))[0]
    assert compare(str(soup), html)


@pytest.mark.parametrize(
    ("name", "mime", "old", "new"),
    [
        ("q1", MARKDOWN, "es preferible", "no es preferible"),
        ("q1", MARKDOWN, "regularizado", "simple"),
        ("q1", HTML, "se confirma", "se refuta"),
        ("q1", HTML, "El rombo", "La cruz"),
        ("q2", HTML, 'alt="Exactitud', 'alt="Pérdida'),
        ("q2", MARKDOWN, "p − y", "y − p"),
        ("q3", MARKDOWN, "40-50-15", "40-50-16"),
        ("q4", HTML, "(Q3)", "(Q4)"),
        ("q4", HTML, "4,41·10⁻⁴", "4,42·10⁻⁴"),
        ("q4", HTML, "<td>sí</td>", "<td>no</td>"),
        ("q4", MARKDOWN, "3.15.1", "3.15.2"),
        ("q4", MARKDOWN, "<code>3e-15</code>", "<code>3e-14</code>"),
        ("q1", MARKDOWN, "<code>7e-14</code>", "<code>7e-13</code>"),
        ("q1", HTML, "28\xa0×\xa028", "28\xa0×\xa029"),
        ("q1", MARKDOWN, "p < ", "p > "),
    ],
)
def test_words_and_names_are_exact(name, mime, old, new):
    """Una palabra, un nombre con cifras, una versión o un hiperparámetro no admiten cambio."""
    text = published(name, mime, re.escape(old))
    messages = compare(text, text.replace(old, new, 1), mime)
    assert messages
    assert "guardado" in messages[0] or "donde había" in messages[0]


def test_a_picture_is_not_compared():
    """Del dibujo solo cuentan su texto alternativo, su pie y sus números."""
    html = published("q1", HTML, f"<caption>{CURVE}")
    assert not compare(html, re.sub(r'base64,[^"]+', "base64,AAAA", html))
    assert compare(html, re.sub(r"<img[^>]+>", "", html))
    assert "«validación»" in compare(html, html.replace("de validación", "de prueba", 1))[0]


def test_the_web_model_compares_all_but_the_weights():
    """Del JSON de «Prueba el modelo» cuentan los nombres, las capas y las exactitudes; de los pesos, cuántos son."""
    model = json.loads(ast.literal_eval(published("q5", "application/papermill.record/text/plain", "networks")))
    text = repr(json.dumps(model))

    def changed(path, value):
        other = copy.deepcopy(model)
        *inner, last = path
        functools.reduce(lambda node, key: node[key], inner, other)[last] = value
        return compare(text, repr(json.dumps(other)), "text/plain")

    network = model["networks"][0]
    kernel, accuracy = network["layers"][0]["kernel"], network["accuracy"]
    assert not changed(["networks", 0, "layers", 0, "kernel"], "A" * len(kernel))
    assert "letras" in changed(["networks", 0, "layers", 0, "kernel"], kernel[4:])[0]
    assert changed(["networks", 0, "layers", 0, "activation"], "tanh")
    assert changed(["networks", 0, "layers"], network["layers"][1:])
    assert changed(["networks", 0, "name"], "otra")
    assert changed(["networks", 0, "parameters"], network["parameters"] + 1)
    assert not changed(["networks", 0, "accuracy"], round(accuracy - 0.004, 4))
    assert not changed(["networks", 0, "accuracy"], accuracy + 0.004)
    assert changed(["networks", 0, "accuracy"], accuracy - 0.006)
    assert changed(["examples", "labels", 0], 9)
    assert changed(["examples"], {})
    assert compare('{"accuracy": 0.97}', '{"accuracy": 0.96}', "text/plain")


def test_a_notebook_may_change_a_tolerance():
    """Una celda puede estrecharlas o ensancharlas."""
    html = published("q1", HTML, f"<caption>{RESULTS}")
    little, much = (
        edited(html, ["Pérdida, prueba"], "simple", lambda text, by=by: moved(text, by)[0]) for by in (0.005, 0.05)
    )
    assert compare(html, little, loss=0.002)
    assert not compare(html, much, loss=0.06)
    assert compare(html, much, accuracy=10)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("34\xa0375", 34375),
        ("1\xa0545\xa0510", 1545510),
        ("−0,0264", -0.0264),
        ("10", 10),
        ("10⁻⁴", 1e-4),
        ("2,36·10⁻⁸", 2.36e-8),
        ("−3·10⁻¹", -0.3),
        ("1·10¹²", 1e12),
        ("1e-05", 1e-5),
        ("0.98", 0.98),
    ],
)
def test_numbers_are_spanish_or_python(text, value):
    """Cada manera de escribir una cifra, sola y entre otras palabras."""
    assert to_float(text) == pytest.approx(value, rel=1e-12)
    for around in ("{}", "[{}; 1]", "p={} %", "({})", "«{}».", "{},"):
        assert next(token for token in TOKEN.finditer(around.format(text)) if token["number"])[0] == text


@pytest.mark.parametrize("word", ["40-50-15", "Q4", "3.15.1", "28×28", "05:41:36", "2026-11-25", "dense_1", "l1", "x2"])
def test_names_with_digits_are_words(word):
    """Un nombre no se parte en cifras."""
    assert [token[0] for token in TOKEN.finditer(f"({word}),") if token["number"]] == []
    assert word in [token[0] for token in TOKEN.finditer(f"({word}),")]


def with_results(accuracy, matrix, markdown="", frequent=""):
    """Salidas mínimas: una tabla de resultados, una matriz de confusión y, si se dan, otras dos."""
    rows = "".join(f"<tr><td>m{k}</td><td>{i}</td><td>{a}</td><td>{b}</td></tr>"
                   for k, counts in enumerate(matrix) for i, (a, b) in enumerate(counts))  # fmt: skip
    results = (
        "<table><tr><th></th><th>m0</th></tr><tr><th>Semillas</th><td>5</td></tr>"
        f"<tr><th>Exactitud (%), prueba</th><td>{accuracy}</td></tr></table>"
    )
    confusion = f"<table><tr><th>Modelo</th><th>Clase</th><th>0</th><th>1</th></tr>{rows}</table>"
    return [{"data": {HTML: html}} for html in (results, confusion, frequent) if html] + [
        {"data": {MARKDOWN: markdown}}
    ]


@pytest.mark.parametrize(
    ("accuracy", "matrix", "markdown", "count", "wrong"),
    [
        ("90,00 ± 1,00", [[(90, 10), (10, 90)]], "", 10, None),
        ("91,79 ± 1,00", [[(90, 10), (10, 90)]], "", 10, None),
        ("91,83 ± 1,00", [[(90, 10), (10, 90)]], "", 10, "su matriz acierta 90,00 %"),
        ("88,17 ± 1,00", [[(90, 10), (10, 90)]], "", 10, "su matriz acierta 90,00 %"),
        ("90,00 ± 1,00", [[(90, 10), (10, 90)]], "", 11, "no son 11 en la matriz"),
        ("91,00 ± 0,00", [[(90, 10), (8, 92)], [(90, 10), (12, 88)]], "5 1", 10, None),
        ("91,00 ± 0,00", [[(90, 10), (8, 92)], [(90, 10), (12, 88)]], "5 2", 10, "McNemar"),
        ("91,00 ± 0,00", [[(90, 10), (8, 92)], [(90, 10), (12, 88)]], "1 5", 10, "McNemar"),
    ],
)
def test_invariants(accuracy, matrix, markdown, count, wrong):
    """Media, matriz, McNemar y confusiones frecuentes cuentan las mismas imágenes."""
    if markdown:
        b, c = markdown.split()
        markdown = (
            f"Con esta semilla, el modelo m0 acierta {b} imágenes que el otro falla, y el m1, {c} imágenes (McNemar)."
        )
    frequent = "<table><tr><th>Clase</th><th>Predicha</th><th>Imágenes</th></tr>"
    frequent += f"<tr><td>0</td><td>1</td><td>{count}</td></tr></table>"
    outputs = with_results(accuracy, matrix, markdown, frequent)
    by_row = "<table><tr><th>Red</th><th>Semillas</th><th>Exactitud (%), prueba</th></tr>"  # la misma tabla, girada
    turned = [{"data": {HTML: f"{by_row}<tr><td>m0</td><td>5</td><td>{accuracy}</td></tr></table>"}}, *outputs[1:]]
    for found in ([*broken([], each)] for each in (outputs, turned)):
        assert [message for message in found if not wrong or wrong not in message] == []
        assert bool(found) == bool(wrong)


def test_other_tables_have_no_invariants():
    """Una tabla con exactitudes y sin semillas no es de resultados."""
    results, *others = with_results("10,00 ± 0,00", [[(90, 10), (10, 90)]])
    other = {"data": {HTML: results["data"][HTML].replace("Semillas", "Otra cosa")}}
    assert [*broken([], [other, *others])] == []
    assert [*broken([], [results, *others])] != []


SURE, SEEMS, NEVER = "mejora a", "parece que mejora a", "no se distingue de"
DOUBTS = {  # cómo se decía, cómo se dice y si se admite
    "de claro a dudoso": (SURE, SEEMS, True),
    "de dudoso a empate": (SEEMS, NEVER, True),
    "de claro a empate": (SURE, NEVER, False),
    "de claro a lo contrario": (SURE, "es peor que", False),
    "de empate a empate": (NEVER, NEVER, True),
    "de dentro a dentro por poco": ("dentro", "dentro, por poco", True),
    "de dentro a fuera, por poco": ("dentro, por poco", "fuera, por poco", True),
    "de dentro a fuera": ("dentro", "fuera", False),
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("case", DOUBTS)
def test_a_doubtful_verdict_may_move_one_step(case, turned):
    """Entre procesadores, un veredicto dudoso puede salir claro, o no salir; uno claro no puede perderse ni girarse."""
    old, new, allowed = DOUBTS[case]
    old, new = (new, old) if turned else (old, new)
    text = "La red 40-50 {} la red simple (pérdida de 0,0702 frente a 0,0705). Y basta."
    assert bool(compare(text.format(old), text.format(new), MARKDOWN)) != allowed


@pytest.mark.parametrize(("old", "new"), [("40-50", "40-60"), ("0,0705", "0,1705"), ("la red", "la otra red")])
def test_a_doubtful_sentence_is_still_compared(old, new):
    """Lo dudoso es el desenlace: si cambia de qué red se habla, una cifra o cualquier otra palabra, falla."""
    text = "La red 40-50 parece que mejora a la red simple (pérdida de 0,0702 frente a 0,0705)."
    other = text.replace("parece que mejora a", "no se distingue de")
    assert not compare(text, other, MARKDOWN)
    assert compare(text, other.replace(old, new), MARKDOWN)


def test_a_doubt_covers_only_its_sentence():
    """Que una frase dude no excusa a la siguiente."""
    text = "Esta no se distingue de aquella. Esta {} aquella otra."
    assert compare(text.format("mejora a"), text.format("es peor que"), MARKDOWN)


def test_orders_of_magnitude_of_a_penalty():
    """Lo que da una alfa se compara en potencias de diez; la alfa, que es un parámetro, exacta."""
    text = "«Try 02» da l1 = 3,21·10⁻¹² y l2 = 1,54·10⁻¹²; la suya tendría que ser 3,38·10⁻⁷, y no 7·10⁻¹⁴."
    assert not compare(text, text.replace("3,21", "3,90").replace("3,38", "2,80"), MARKDOWN)
    for old, new in (("3,21", "4,21"), ("1,54", "2,04"), ("3,38", "4,38"), ("7·10⁻¹⁴", "7,1·10⁻¹⁴")):
        assert compare(text, text.replace(old, new), MARKDOWN), old


def test_every_kind_has_a_test():
    """Una clase de cifra nueva no entra sin su prueba."""
    tried = {case.partition(",")[0] for case in [*CELLS, *SENTENCES]} | {"exact", "duration", "penalty"}
    assert tried == KINDS.keys()


def run_nbval(tmp_path, *cells, options=()):
    """Corre nbval con este complemento sobre un cuaderno hecho de pares de código y salida guardada."""
    notebook = new_notebook()
    for source, text, metadata in cells:
        stored = [new_output("stream", name="stdout", text=text)] if isinstance(text, str) else text
        notebook.cells.append(new_code_cell(source, outputs=stored, metadata=metadata, execution_count=1))
    nbformat.write(notebook, tmp_path / "prueba.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "nbval_numbers", "-c", os.devnull, "-rA"]
    command += ["--color=no", "--nbval", "--nbval-current-env", *options, f"--rootdir={tmp_path}", "prueba.ipynb"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8")


def test_nbval_uses_it(tmp_path):
    """Con nbval: pasa lo cercano, falla lo lejano con su sitio, y las etiquetas y metadatos de la celda mandan."""
    show, glued = "display({{{!r}: {!r}}}, raw=True)", "application/papermill.record/text/html"

    def displayed(mime, content):
        return [new_output("display_data", {mime: content})]

    result = run_nbval(
        tmp_path,
        ("print('pérdida 0,1101')", "pérdida 0,1051\n", {}),
        ("print('pérdida 0,1501')", "pérdida 0,1051\n", {}),
        ("print('pérdida 0,1501')", "pérdida 0,1051\n", {"tags": ["nbval-ignore-output"]}),
        ("print('pérdida 0,1101')", "pérdida 0,1051\n", {"tarea4": {"tolerance": {"loss": 0.002}}}),
        ("print('hecho')", "hecho\n", {"tarea4": {"tolerance": {"perdida": 1}}}),
        ("print('hecho')", [], {}),
        (show.format("image/svg+xml", "<svg/>"), displayed("image/svg+xml", "<svg></svg>"), {}),
        (show.format(glued, "<img src='a'>"), displayed(glued, "<img src='b'>"), {}),
        (show.format(glued, "<p>pérdida 0,9</p>"), displayed(glued, "<p>pérdida 0,1</p>"), {}),
    )
    passed = set(re.findall(r"PASSED \S*::(Cell \d|Invariantes)", result.stdout))
    assert passed == {"Cell 0", "Cell 2", "Cell 6", "Cell 7", "Invariantes"}, result.stdout
    assert (
        "prueba.ipynb, celda 1: texto, en «pérdida 0,1051»: 0,1051 guardado, 0,1501 ahora; tolerancia 0,02"
        in result.stdout
    )
    assert (
        "prueba.ipynb, celda 3: texto, en «pérdida 0,1051»: 0,1051 guardado, 0,1101 ahora; tolerancia 0,002"
        in result.stdout
    )
    assert "prueba.ipynb, celda 4: no hay tolerancia que se llame perdida" in result.stdout
    assert "prueba.ipynb, celda 5: 0 salidas stdout guardadas, 1 ahora" in result.stdout


def test_nbval_checks_the_invariants(tmp_path):
    """Los invariantes se miran en lo recién calculado, también en las celdas que no se comparan."""
    html = published("q1", HTML, f"<caption>{CONFUSION}")
    html = re.sub(r'base64,[^"]+', "base64,", html)
    wrong = edited(html, ["simple", "0"], "0", lambda text: moved(text, -1)[0])
    stored = [new_output("display_data", {HTML: html, "text/plain": "<IPython.core.display.HTML object>"})]
    source = f"from IPython.display import HTML, display\ndisplay(HTML({wrong!r}))"
    result = run_nbval(tmp_path, (source, stored, {"tags": ["nbval-ignore-output"]}))
    assert "1 failed, 1 passed" in result.stdout, result.stdout
    assert "prueba.ipynb: matriz de confusión de «simple»: sus filas ya no suman" in result.stdout
