"""Pruebas de herramientas/correr.py con cuadernos mínimos."""

import correr
import nbformat
import pytest


@pytest.fixture
def notebook(tmp_path):
    """Devuelve una función que escribe un cuaderno con las celdas que se le dan."""

    def write(*sources):
        cells = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
        path = tmp_path / "cuaderno.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    return write


def test_run_in_place(notebook):
    """El resultado sustituye al cuaderno, sin metadatos de la ejecución, y repetirla deja los mismos bytes."""
    path = notebook("import os", "print(os.path.basename(os.getcwd()))")
    assert correr.main([path]) == 0
    first = path.read_bytes()
    executed = nbformat.reads(first, as_version=4)
    assert executed.cells[1].outputs[0].text.strip() == path.parent.name
    assert "papermill" not in str(executed)
    assert correr.main([path]) == 0
    assert path.read_bytes() == first
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("1 / 0", "falló en la celda 2, In [2]: ZeroDivisionError"), ("import os; os._exit(1)", "se quedó sin núcleo")],
)
def test_failure_keeps_the_published_notebook(notebook, capsys, source, sentence):
    """Un cuaderno que falla, o cuyo núcleo muere, queda intacto, se nombra en una frase y detiene a los siguientes."""
    path = notebook("print(1)", source)
    before = path.read_bytes()
    assert correr.main([path, "no-existe.ipynb"]) == 1
    message = capsys.readouterr().err
    assert f"{path} {sentence}" in message
    assert "no-existe" not in message
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_notebook(capsys, tmp_path):
    """Un cuaderno que no está se dice en una frase."""
    assert correr.main([tmp_path / "no-existe.ipynb"]) == 1
    assert "no se pudo leer o escribir" in capsys.readouterr().err
