"""Los cuadernos, repetidos con papermill como haría un lector: con otros parámetros y datos y desde otra carpeta."""

import base64
import copy
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
import reruns
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import tarea4

BOOK = Path(__file__).parents[2] / "book"
COMMON = {"seeds": [7, 8], "epochs": 2}
REGULARISED = {"dropout": 0.1, "alpha_l1": 1e-4, "alpha_l2": 1e-4}
PARAMETERS = {
    "q1": REGULARISED | {"hidden_sizes": [12, 8], "hidden_sizes_regularised": [12, 8, 8, 8]},
    "q2": {"hidden_sizes": [12], "n_bins": 5},
    "q3": {"hidden_sizes": [12, 8], "candidates": [[4], [12, 8]], "loss_threshold": 0.5, "accuracy_threshold": 0.8},
    "q4": REGULARISED | {"hidden_sizes": [12, 8, 8]},
    "q5": REGULARISED | {"hidden_sizes": [12, 8, 8]},
}


def rerun(name, folder, parameters):
    """Repite un cuaderno en `folder` con la orden `papermill`; devuelve el proceso y el cuaderno que deja."""
    options = [text for key, value in parameters.items() for text in ("-p", key, str(value))]
    command = [sys.executable, "-m", "papermill", BOOK / f"{name}.ipynb", "salida.ipynb", "--no-progress-bar", *options]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return process, nbformat.read(folder / "salida.ipynb", as_version=4)


@pytest.fixture(scope="module")
def few_images(tmp_path_factory):
    """Las primeras 6 000 imágenes de MNIST, y el mismo archivo con imágenes y etiquetas de prueba al azar."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("pocas")
    with np.load(Path(tarea4.__file__).with_name("mnist.npz")) as mnist:
        arrays = {name: mnist[name][: 6000 if "train" in name else 1000] for name in mnist.files}
    poison = {"x_test": rng.integers(0, 256, (1000, 28, 28), dtype="uint8"), "y_test": rng.integers(0, 10, 1000)}
    np.savez(folder / "limpia.npz", **arrays)
    np.savez(folder / "envenenada.npz", **(arrays | poison))
    return folder


def texts(notebook):
    """Todo lo que escriben las celdas de código, en orden."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    data = [(output.get("data", {}), output.get("text", "")) for output in outputs]
    return [item.get("text/markdown") or item.get("text/html") or text for item, text in data]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_cell_can_run_twice_and_the_notebook_again(name, other_data):
    """Con otros datos, cada celda dos veces seguidas; en otra pasada se rechaza, como en la primera, lo desconocido."""
    notebook = nbformat.read(BOOK / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    values = COMMON | PARAMETERS[name] | {"data_path": str(other_data)}
    mine = nbformat.v4.new_code_cell("\n".join(f"{key} = {value!r}" for key, value in values.items()))
    unknown = nbformat.v4.new_code_cell("alfa_l1 = 1e-4")
    twice = [each for cell in code[1:] for each in (cell, cell)]
    cells = [code[0], mine, *twice, code[0], mine, code[1], unknown, code[1]]
    again = nbformat.v4.new_notebook()
    again.cells = [*map(copy.deepcopy, cells)]
    for i, cell in enumerate(again.cells):
        cell.id = f"celda-{i}"
    with pytest.raises(CellExecutionError, match="parámetro desconocido 'alfa_l1'"):
        NotebookClient(again, kernel_name="python3", resources={"metadata": {"path": str(BOOK)}}).execute()
    *_, accepted, _, refused = again.cells
    assert accepted.execution_count == len(again.cells) - 2
    assert refused.outputs[-1].evalue.startswith("parámetro desconocido 'alfa_l1'")
    outputs = [output for cell in again.cells[:-1] for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    answers = [text for text in texts(again) if text.startswith("**")]
    published = [text for text in texts(notebook) if text.startswith("**")]
    assert len(published) == 1
    assert answers == answers[:1] * 2 != published * 2


def test_every_door_of_papermill(tmp_path, other_data):
    """Lo dado por archivo, en YAML, en base 64, sin convertir o desde Python llega; las rutas de papermill, no."""
    (tmp_path / "otros.yaml").write_text("seeds: [7]\nepochs: 4", encoding="utf-8")
    options = ["-f", "otros.yaml", "-y", "epochs: 1", "-b", base64.b64encode(b"loss_threshold: 0.5").decode()]
    options += ["-r", "model", "simple", "--inject-paths", "--inject-output-path", "-p", "data_path", str(other_data)]
    command = [sys.executable, "-m", "papermill", BOOK / "q1.ipynb", "salida.ipynb", "--no-progress-bar", *options]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    asked = {"seeds": [7], "epochs": 1, "loss_threshold": 0.5, "model": "simple", "data_path": str(other_data)}
    kept = reruns.recorded(tmp_path / "salida.ipynb")[1]["parameters"]
    assert kept == kept | asked
    assert not [name for name in kept if name.startswith("PAPERMILL")]
    given = asked | {"epochs": 2, "seeds": [0, 1], "loss_threshold": np.float64(0.25)}
    again = tmp_path / "otra.ipynb"
    papermill.execute_notebook(tmp_path / "salida.ipynb", again, given, progress_bar=False, kernel_name="python3")
    kept = reruns.recorded(again)[1]["parameters"]
    assert kept == kept | asked | {"epochs": 2, "seeds": [0, 1], "loss_threshold": 0.25}  # de una repetición, otra


def test_wrong_parameters_stop_the_notebook(tmp_path):
    """Nombres desconocidos y valores imposibles lo detienen antes de entrenar, con una frase cada uno."""
    process, notebook = rerun("q4", tmp_path, {"alfa_l1": "1e-4", "epoch": 3, "dropout": "1.5", "epochs": 0})
    assert process.returncode != 0
    for sentence in (
        "parámetro desconocido 'alfa_l1': ¿quisiste decir 'alpha_l1'?",
        "parámetro desconocido 'epoch': ¿quisiste decir 'epochs'?",
        "dropout: se recibió 1.5 y se admite un número entre 0 y 1, sin el 1.",
        "epochs: se recibió 0 y se admite un entero entre 1 y 1000.",
    ):
        assert sentence in process.stderr
    last = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count][-1]
    assert "check_parameters" in last.source


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("<script>nada</script>.npz", "data_path: no existe el archivo '<script>nada</script>.npz'"),
        ("cortado.npz", "data_path: cortado.npz no sirve como datos: no se puede leer"),
        ("color.npz", "data_path: color.npz no sirve como datos: x_train, en color (promedia sus canales), es"),
        (".", "no sirve como datos: la carpeta debe tener cuatro IDX"),
    ],
)
def test_useless_data_stop_the_notebook(value, sentence, tmp_path, other_data):
    """Unos datos que no están, cortados o en color, o una carpeta sin ellos, detienen el cuaderno con una frase."""
    (tmp_path / "cortado.npz").write_bytes(other_data.read_bytes()[:1000])
    with np.load(other_data) as plain:
        colour = {name: np.stack([plain[name]] * 3, -1) if "x" in name else plain[name] for name in plain.files}
    np.savez(tmp_path / "color.npz", **colour)
    process, notebook = rerun("q2", tmp_path, {"data_path": value})
    assert process.returncode != 0
    assert sentence in process.stderr
    assert not [text for text in texts(notebook) if "Veredicto" in text]


def test_other_formats_are_read_and_said(tmp_path, few_images):
    """Un CSV ordenado por clases, con nombres y pocas de una: se reparte, se avisa y las tablas llevan los nombres."""
    with np.load(few_images / "limpia.npz") as plain:
        x, y = plain["x_train"][:1000].reshape(1000, -1), plain["y_train"][:1000]
    kept = np.sort(np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1), np.flatnonzero(y == 2)[:6]]))
    kept = kept[np.argsort(y[kept], kind="stable")]
    rows = [
        ",".join([("cero", "uno", "dos")[label], *map(str, pixels)])
        for label, pixels in zip(y[kept], x[kept], strict=True)
    ]
    header = ",".join(["label", *(f"pixel{i}" for i in range(784))])
    (tmp_path / "cifras.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    parameters = {"data_path": "cifras.csv", "model": "simple", "seeds": [0], "epochs": 2}
    process, notebook = rerun("q1", tmp_path, parameters)
    assert process.returncode == 0, process.stderr
    written = texts(notebook)
    [note] = [text for text in written if text.startswith("<p>")]
    for said in (
        "«cifras.csv»: 3 clases de imágenes de 28\xa0×\xa028; ",
        "la prueba es una quinta parte de las filas, al azar, con semilla 0; ",
        "las clases cero, dos, uno se numeran desde 0; ",
        "(al azar y, si caben, por clases, con semilla 0, porque las últimas son distintas)",
        "<strong>OJO, hay menos de 5 imágenes para validar de dos</strong>",
    ):
        assert said in note
    confused = next(text for text in written if "Matrices de confusión" in text)
    columns = "<th>Modelo</th>\n      <th>Clase</th>\n      <th>cero</th>\n      <th>dos</th>\n      <th>uno</th>"
    assert columns in confused
    assert "<td>dos</td>" in confused
    chapter, noted = reruns.recorded(tmp_path / "salida.ipynb")
    assert (chapter, noted["parameters"]) == ("q1", noted["parameters"] | parameters)
    assert noted["data"]["description"] in BeautifulSoup(note, "html.parser").text
    assert {(row["model"], row["n"]) for row in noted["results"]} == {("simple", 1)}
    assert reruns.doubts(tmp_path / "salida.ipynb", noted, noted | {"date": "antes"}) == []
    next(
        cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])
    ).source += "\nepochs = 9"
    nbformat.write(notebook, tmp_path / "editado.ipynb")
    assert (
        "cambió su celda de código 2" in reruns.doubts(tmp_path / "editado.ipynb", noted, noted | {"date": "antes"})[0]
    )


@pytest.mark.parametrize(
    ("name", "parameters", "sentences"),
    [
        (
            "q1",
            {"alpha_l1": 10, "dropout": 0.9, "epochs": 4},
            ["Veredicto: es preferible el modelo simple", r"\*\*Según estas semillas, es preferible el modelo simple"],
        ),
        (
            "q4",
            {"dropout": 0.9, "alpha_l1": 10, "epochs": 4, "seeds": [0, 1, 2, 3, 4]},
            [
                r"\*\*El ajuste pedido, dropout 0,90, l1 = 10¹, l2 = 3·10⁻¹⁵, (es|parece) peor que no",
                "Con estos datos no hay nada guardado",
            ],
        ),
        (
            "q5",
            {"dropout": 0.9, "alpha_l1": 10, "hidden_sizes": [8], "epochs": 4, "seeds": [0, 1, 2]},
            ["cambiar también la receta (parece que )?mejora", "Esto se hizo con MNIST"],
        ),
    ],
)
def test_absurd_parameters_change_the_answer(name, parameters, sentences, tmp_path, few_images):
    """Con parámetros absurdos, la respuesta dice lo que entonces es verdad."""
    process, notebook = rerun(name, tmp_path, parameters | {"data_path": few_images / "limpia.npz"})
    assert process.returncode == 0, process.stderr
    written = "\n".join(texts(notebook))
    for sentence in sentences:
        assert re.search(sentence, written)


@pytest.mark.parametrize("name", ["q4", "q5"])
def test_the_test_images_choose_nothing(name, tmp_path, few_images):
    """Con las imágenes de prueba envenenadas, todo lo que se elige y se dice de la validación queda igual."""
    chosen = {}
    for data in ("limpia", "envenenada"):
        parameters = COMMON | PARAMETERS[name] | {"data_path": few_images / f"{data}.npz"}
        process, notebook = rerun(name, tmp_path, parameters)
        assert process.returncode == 0, process.stderr
        written = texts(notebook)
        verdict = next(text for text in written if "Veredicto:" in text)
        answer = next(text for text in written if text.startswith("**"))
        chosen[data] = verdict, [said for said in re.split(r"(?<=[.*]) ", answer) if "prueba" not in said]
        tested = [text for text in written if "exactitud" in text and "prueba" in text]
    assert chosen["limpia"] == chosen["envenenada"]
    assert tested
