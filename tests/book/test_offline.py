"""Una repetición sin red, de un CSV cuyo nombre parece HTML: termina, se cree, y nada de ese nombre es etiqueta."""

import nbformat
import reruns
from bs4 import BeautifulSoup
from building import HOSTILE
from test_reruns import texts


def test_the_block_bites(offline, tmp_path):
    """El bloqueo detiene una petición a la red y la anota; la red interna funciona."""
    process, asked = offline("-c", "import urllib.request as r; r.urlopen('http://192.0.2.1/')", cwd=tmp_path)
    assert process.returncode != 0
    assert asked == "socket.getaddrinfo 192.0.2.1\n"
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"
    process, asked = offline("-c", code, cwd=tmp_path)
    assert (process.returncode, asked) == (0, ""), process.stderr


def test_nothing_is_asked_of_the_network_while_running(offline_rerun):
    """Un cuaderno se repite entero sin red, y ni siquiera la pide."""
    code, log, asked, _ = offline_rerun
    assert code == 0, log
    assert asked == ""


def test_other_formats_are_read_and_said(offline_rerun, tmp_path):
    """Un CSV ordenado por clases, con nombres y pocas de una: se reparte, se avisa y las tablas llevan los nombres."""
    *_, path = offline_rerun
    notebook = nbformat.read(path, as_version=4)
    written = texts(notebook.cells)
    [note] = [BeautifulSoup(text, "html.parser") for text in written if text.startswith("<p>")]
    for said in (
        f"«{HOSTILE.rpartition('/')[-1]}»: 3 clases de imágenes de 28\xa0×\xa028; ",
        "la prueba es una quinta parte de las filas, al azar, con semilla 0; ",
        "las clases cero, dos, uno se numeran desde 0; ",
        "(al azar y, si caben, por clases, con semilla 0, porque las últimas son distintas)",
    ):
        assert said in note.text
    assert "OJO, hay menos de 5 imágenes para validar de dos" in [warning.text for warning in note("strong")]
    confused = next(text for text in written if "Matrices de confusión" in text)
    columns = "<th>Modelo</th>\n      <th>Clase</th>\n      <th>cero</th>\n      <th>dos</th>\n      <th>uno</th>"
    assert columns in confused
    assert "<td>dos</td>" in confused
    chapter, noted = reruns.recorded(path)
    asked = {"data_path": HOSTILE, "model": "simple", "seeds": [7], "epochs": 2, "loss_threshold": 0.5}
    assert (chapter, noted["parameters"]) == ("q1", noted["parameters"] | asked)
    assert noted["data"]["description"] in note.text
    assert {(row["model"], row["n"]) for row in noted["results"]} == {("simple", 1)}
    earlier = noted | {"date": "antes"}
    assert reruns.doubts(path, noted, earlier) == []
    injected = next(cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", []))
    injected.source += "\nepochs = 9"
    nbformat.write(notebook, tmp_path / "editado.ipynb")
    assert "cambió su celda de código 2" in reruns.doubts(tmp_path / "editado.ipynb", noted, earlier)[0]


def test_no_parameter_becomes_markup(repeated):
    """En las páginas del libro, el nombre de los datos se lee tal cual y no es HTML."""
    _, html = repeated
    for page in ("corridas.html", "corridas/q1-rara.html"):
        source = (html / page).read_text(encoding="utf-8")
        assert "alert(1)<" not in source
        assert '"c" <' not in source
        soup = BeautifulSoup(source, "html.parser")
        assert [code for code in soup("code") if HOSTILE in code.text], page
        assert not [script for script in soup("script") if "alert" in script.text]
        assert not soup("b")
