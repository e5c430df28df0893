"""Los cuadernos, repetidos con papermill como haría un lector: con otros parámetros y datos y desde otra carpeta."""

import copy
import json
import re
import subprocess
import sys

import nbformat
import numpy as np
import papermill
import pytest
import reruns
from building import BOOK, HOSTILE
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# Absurdos, y la frase que entonces es verdad.
REGULARISED = {"dropout": 0.9, "alpha_l1": 10, "epochs": 4, "seeds": [7, 8, 9]}
PARAMETERS = {
    "q1": REGULARISED | {"hidden_sizes": [12, 8], "hidden_sizes_regularised": [12, 8, 8, 8]},
    "q2": {"hidden_sizes": [12], "n_bins": 5, "seeds": [7, 8], "epochs": 2},
    "q3": {"hidden_sizes": [12, 8], "candidates": [[4], [12, 8]], "loss_threshold": 1e-4, "seeds": [7, 8], "epochs": 2},
    "q4": REGULARISED | {"hidden_sizes": [12, 8, 8]},
    "q5": REGULARISED | {"hidden_sizes": [8]},
}
SAID = {
    "q1": [r"^Veredicto: (es|parece) preferible el modelo simple"],
    "q2": [r"^Veredicto: por dar una probabilidad a cada clase", "no se ve que acierte más"],
    "q3": [
        r"^\*\*La red 12-8 .* no llega a los umbrales .* con ninguna semilla",
        "2 redes entrenadas aquí, ninguna llega",
    ],
    "q4": [r"^\*\*El ajuste pedido, dropout 0,90, l1 = 10¹, l2 = 3·10⁻¹⁵, (es|parece) peor", "no hay nada guardado"],
    "q5": ["cambiar también la receta (parece que )?mejora", "Esto se hizo con MNIST"],
}


def rerun(name, folder, parameters):
    """Repite un cuaderno en `folder` con la orden `papermill`; devuelve el proceso y el cuaderno que deja."""
    options = [text for key, value in parameters.items() for text in ("-p", key, str(value))]
    command = [sys.executable, "-m", "papermill", BOOK / f"{name}.ipynb", "salida.ipynb", "--no-progress-bar", *options]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return process, nbformat.read(folder / "salida.ipynb", as_version=4)


def texts(cells):
    """Todo lo que escriben las celdas de código, en orden."""
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    data = [(output.get("data", {}), output.get("text", "")) for output in outputs]
    return [item.get("text/markdown") or item.get("text/html") or text for item, text in data]


def given(**values):
    """Una celda que pone esos valores, como la que añade papermill."""
    return nbformat.v4.new_code_cell("\n".join(f"{name} = {value!r}" for name, value in values.items()))


def chosen(written):
    """De lo escrito, el veredicto y las frases de la respuesta, sin lo que dicen de la prueba."""
    verdict = next(text for text in written if "Veredicto:" in text)
    verdict = re.split(", pero en el conjunto de prueba|; no se ve que|; además, ", verdict)[0]  # así acaban Q1 y Q2
    answer = next(text for text in written if text.startswith("**"))
    return verdict, [said for said in re.split(r"(?<=[.*]) ", answer) if "prueba" not in said]


@pytest.mark.parametrize("name", PARAMETERS)
def test_rerun_cell_by_cell(name, other_data, tmp_path, monkeypatch):
    """Con otros datos y parámetros absurdos, la respuesta dice lo que entonces es verdad, y cada celda puede repetirse.

    En otra pasada, con las imágenes de prueba al azar, todo lo que se elige y se dice de la validación queda igual; y
    en una tercera se rechaza, como en la primera, lo desconocido.
    """
    monkeypatch.setenv("TAREA4_CACHE", str(tmp_path / "recordado"))  # en las otras pasadas se entrenaría lo mismo
    rng, poisoned = np.random.default_rng(0), tmp_path / "envenenada.npz"
    with np.load(other_data) as clean:
        poison = {
            "x_test": rng.integers(0, 256, clean["x_test"].shape, dtype="uint8"),
            "y_test": rng.permutation(clean["y_test"]),
        }
        np.savez(poisoned, **(dict(clean) | poison))
    published = nbformat.read(BOOK / f"{name}.ipynb", as_version=4)
    parameters, *code = [cell for cell in published.cells if cell.cell_type == "code"]
    passes = [
        [
            parameters,
            given(**PARAMETERS[name], data_path=str(other_data)),
            *(each for cell in code for each in (cell, cell)),
        ],
        [parameters, given(**PARAMETERS[name], data_path=str(poisoned)), *code],
        [parameters, given(**PARAMETERS[name], alfa_l1=1e-4), code[0]],
    ]
    cells = [copy.deepcopy(cell) for each in passes for cell in each]
    for i, cell in enumerate(cells):
        cell.id = f"celda-{i}"
    again = nbformat.v4.new_notebook(cells=cells)
    with pytest.raises(CellExecutionError, match="parámetro desconocido 'alfa_l1'"):
        NotebookClient(again, kernel_name="python3", resources={"metadata": {"path": str(BOOK)}}).execute()
    *accepted, refused = again.cells
    assert refused.outputs[-1].evalue.startswith("parámetro desconocido 'alfa_l1'")
    assert not [out for cell in accepted for out in cell.outputs if out.get("name") == "stderr"]
    twice, other = texts(accepted[: len(passes[0])]), texts(accepted[len(passes[0]) :])
    for sentence in SAID[name]:
        assert [text for text in twice if re.search(sentence, text)], sentence
    first, second = [text for text in twice if text.startswith("**")]
    assert first == second not in texts(published.cells)
    assert chosen(twice) == chosen(other)
    assert first not in other  # lo de la prueba, en cambio, es otro


def test_every_door_of_papermill(offline_rerun, other_data, tmp_path):
    """Lo dado por archivo, en YAML, en base 64 o sin convertir llega; las rutas de papermill, no.

    Y desde Python, igual: se repite una repetición, cortada tras comprobar sus parámetros.
    """
    code, log, _, path = offline_rerun
    assert code == 0, log
    first = reruns.recorded(path)[1]["parameters"]
    asked = {"seeds": [7], "epochs": 2, "loss_threshold": 0.5, "model": "simple", "data_path": HOSTILE}
    assert first == first | asked
    assert not [name for name in first if name.startswith("PAPERMILL")]
    notebook = nbformat.read(path, as_version=4)
    checked = next(i for i, cell in enumerate(notebook.cells) if "check_parameters(globals()" in cell.source)
    notebook.cells[checked + 1 :] = [nbformat.v4.new_code_cell("print(p.model_dump_json())")]
    nbformat.write(notebook, tmp_path / "cortada.ipynb")
    given = asked | {"epochs": 3, "seeds": [0, 1], "loss_threshold": np.float64(0.25), "data_path": str(other_data)}
    options = {"progress_bar": False, "kernel_name": "python3"}
    again = papermill.execute_notebook(tmp_path / "cortada.ipynb", tmp_path / "otra.ipynb", given, **options)
    assert json.loads(again.cells[-1].outputs[0].text) == first | given


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


def test_useless_data_stop_the_notebook(tmp_path):
    """Unos datos que no están detienen el cuaderno con una frase, y sin veredicto."""
    value = "<script>nada</script>.npz"
    process, notebook = rerun("q2", tmp_path, {"data_path": value})
    assert process.returncode != 0
    assert f"data_path: no existe el archivo '{value}'" in process.stderr
    assert not [text for text in texts(notebook.cells) if "Veredicto" in text]
