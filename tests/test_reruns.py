"""Los cuadernos, repetidos con papermill como haría un lector: con otros parámetros y datos y desde otra carpeta."""

import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

import tarea4

BOOK = Path(__file__).parents[1] / "book"
COMMON = {"seeds": [7, 8], "epochs": 2}
REGULARISED = {"dropout": 0.1, "alpha_l1": 1e-4, "alpha_l2": 1e-4}
PARAMETERS = {
    "q1": REGULARISED | {"hidden_sizes": [12, 8], "hidden_sizes_regularised": [12, 8, 8, 8]},
    "q2": {"hidden_sizes": [12], "n_bins": 5},
    "q3": {"hidden_sizes": [12, 8], "candidates": [[4], [12, 8]], "loss_threshold": 0.5, "accuracy_threshold": 0.8},
    "q4": REGULARISED | {"hidden_sizes": [12, 8, 8], "dropout_grid": [0, 0.1], "alpha_grid": [0, 1e-4]},
    "q5": REGULARISED | {"candidates": [[12, 8, 8], [8, 8, 8]]},
}


def rerun(name, folder, parameters):
    """Repite un cuaderno en `folder` con la orden `papermill`; devuelve el proceso y el cuaderno que deja."""
    options = [text for key, value in parameters.items() for text in ("-p", key, str(value))]
    command = [sys.executable, "-m", "papermill", BOOK / f"{name}.ipynb", "salida.ipynb", "--no-progress-bar", *options]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return process, nbformat.read(folder / "salida.ipynb", as_version=4)


def results(notebook):
    """Textos que el cuaderno calcula, sin la tabla de parámetros ni lo que cambia en cada ejecución."""
    cells = [
        c for c in notebook.cells if c.cell_type == "code" and "nbval-ignore-output" not in c.metadata.get("tags", [])
    ]
    data = [output.get("data", {}) for cell in cells for output in cell.outputs]
    texts = [text for item in data if (text := item.get("text/markdown") or item.get("text/html"))]
    return [text for text in texts if "| Parámetro |" not in text]


@pytest.fixture(scope="module")
def other_data(tmp_path_factory):
    """Otro conjunto de datos: MNIST recortado a 20 x 18 píxeles, solo las cifras 0, 1 y 2."""
    path = tmp_path_factory.mktemp("datos") / "otros.npz"
    with np.load(Path(tarea4.__file__).with_name("mnist.npz")) as mnist:
        arrays = {}
        for split, n in {"train": 1500, "test": 400}.items():
            kept = np.flatnonzero(mnist[f"y_{split}"] < 3)[:n]
            arrays |= {f"x_{split}": mnist[f"x_{split}"][kept, 4:24, 5:23], f"y_{split}": mnist[f"y_{split}"][kept]}
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("data", ["mnist", "otros"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_rerun(name, data, tmp_path, other_data):
    """Con otros parámetros y otros datos cada cuaderno termina, limpio, y contesta otra cosa que el publicado."""
    parameters = COMMON | PARAMETERS[name] | ({"data_path": other_data} if data == "otros" else {})
    process, notebook = rerun(name, tmp_path, parameters)
    assert process.returncode == 0, process.stderr
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    published = results(nbformat.read(BOOK / f"{name}.ipynb", as_version=4))
    assert len(results(notebook)) > 0
    assert results(notebook) != published


@pytest.mark.parametrize("name", PARAMETERS)
def test_wrong_parameters_stop_every_notebook(name, tmp_path):
    """Un nombre desconocido y un valor imposible detienen el cuaderno antes de entrenar, con una frase cada uno."""
    process, notebook = rerun(name, tmp_path, {"epoch": 3, "batch_size": 0})
    assert process.returncode != 0
    assert "parámetro desconocido 'epoch': ¿quisiste decir 'epochs'?" in process.stderr
    assert "batch_size: se recibió 0 y se admite un entero entre 1" in process.stderr
    last = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.execution_count][-1]
    assert "check_parameters" in last.source


@pytest.mark.parametrize(
    ("parameter", "value", "sentence"),
    [
        ("alfa_l1", "1e-4", "parámetro desconocido 'alfa_l1': ¿quisiste decir 'alpha_l1'?"),
        ("dropout", "1.5", "dropout: se recibió 1.5 y se admite un número mayor o igual que 0 y menor que 1"),
        ("epochs", "0", "epochs: se recibió 0 y se admite un entero entre 1"),
    ],
)
def test_sentence_of_a_wrong_parameter(parameter, value, sentence, tmp_path):
    """Las equivocaciones más fáciles de Q4 se explican en español y terminan con código distinto de cero."""
    process, _ = rerun("q4", tmp_path, {parameter: value})
    assert process.returncode != 0
    assert sentence in process.stderr
