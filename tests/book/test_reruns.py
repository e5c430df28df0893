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
    "q4": REGULARISED | {"hidden_sizes": [12, 8, 8], "alpha_grid": [0, 1e-4]},
    "q5": REGULARISED | {"candidates": [[12, 8, 8], [8, 8, 8]], "epochs_best": 2},
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


@pytest.mark.parametrize("data", ["mnist", "otros"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_rerun(name, data, tmp_path, other_data):
    """Con otros parámetros y otros datos cada cuaderno termina, limpio, y contesta otra cosa que el publicado."""
    parameters = COMMON | PARAMETERS[name] | ({"data_path": other_data} if data == "otros" else {})
    process, notebook = rerun(name, tmp_path, parameters)
    assert process.returncode == 0, process.stderr
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    published, answer = (
        [text for text in texts(each) if text.startswith("**")]
        for each in (nbformat.read(BOOK / f"{name}.ipynb", as_version=4), notebook)
    )
    assert len(answer) == len(published) > 0
    assert answer != published


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


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("<script>nada</script>.npz", "data_path: no existe el archivo '<script>nada</script>.npz'"),
        ("cortado.npz", "data_path: cortado.npz no sirve como datos: no se puede leer"),
    ],
)
def test_useless_data_stop_the_notebook(value, sentence, tmp_path, other_data):
    """Unos datos que no están, o que están cortados, detienen el cuaderno con una frase."""
    (tmp_path / "cortado.npz").write_bytes(other_data.read_bytes()[:1000])
    process, notebook = rerun("q2", tmp_path, {"data_path": value})
    assert process.returncode != 0
    assert sentence in process.stderr
    assert not [text for text in texts(notebook) if "Veredicto" in text]


@pytest.mark.parametrize(
    ("name", "parameters", "sentences"),
    [
        (
            "q1",
            {"alpha_l1": 10, "dropout": 0.9, "epochs": 4},
            ["Veredicto: es preferible el modelo simple", "es preferible el modelo simple.**"],
        ),
        ("q1", {"epochs": 1}, ["no llega con ninguna de 5 semillas"]),
        ("q1", {"epochs": 1, "model": "simple", "seeds": [3]}, ["Veredicto: sin comparación", "Solo se ha entrenado"]),
        (
            "q3",
            {"epochs": 1, "candidates": [[8]]},
            ["40-50-15 no llega con todas las semillas", "Ninguna de las redes"],
        ),
        (
            "q4",
            {"dropout": 0.9, "alpha_l1": 10, "alpha_grid": [10], "epochs": 4},
            ["El modelo pedido (dropout 0,90, l1 = 10¹, l2 = 10⁻⁴) tiene mayor pérdida en validación que el mejor"],
        ),
        (
            "q5",
            {"dropout": 0.9, "alpha_l1": 10, "candidates": [[40, 50, 15], [8]], "epochs": 4, "epochs_best": 1},
            ["no alcanzado", "fuera de lo que da la semilla"],
        ),
    ],
)
def test_absurd_parameters_change_the_answer(name, parameters, sentences, tmp_path, few_images):
    """Con parámetros absurdos, la respuesta dice lo que entonces es verdad."""
    process, notebook = rerun(name, tmp_path, parameters | {"data_path": few_images / "limpia.npz"})
    assert process.returncode == 0, process.stderr
    written = "\n".join(texts(notebook))
    for sentence in sentences:
        assert sentence in written


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
        answer = next(text for text in written if text.startswith("**El mejor de"))
        chosen[data] = verdict, answer.split(" en prueba ")[0].rsplit(".", 1)[0]
        tested = [text for text in written if "exactitud en prueba" in text]
    assert chosen["limpia"] == chosen["envenenada"]
    assert tested
