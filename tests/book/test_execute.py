"""Pruebas de tools/execute.py con cuadernos mínimos."""

import copy

import execute
import joblib
import keras
import nbformat
import provenance
import pytest


@pytest.fixture
def notebook(tmp_path):
    """Devuelve una función que escribe un cuaderno con las celdas que se le dan."""

    def write(*sources, name="cuaderno"):
        cells = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    return write


def test_run_in_place(notebook):
    """El resultado sustituye al cuaderno, sin rutas, y repetirlo solo cambia cuándo se hizo y cuánto duró."""
    path = notebook("import os", "print(os.path.basename(os.getcwd()))")
    runs = []
    for _ in range(2):
        assert execute.main([path]) == 0
        runs.append(nbformat.read(path, as_version=4))
    assert runs[0].cells[1].outputs[0].text.strip() == path.parent.name
    assert "papermill" not in str(runs[0])
    for run in runs:
        assert run.metadata.tarea4.pop("date").endswith("+00:00")
        assert run.metadata.tarea4.pop("seconds") > 0
    assert runs[0] == runs[1]
    assert list(path.parent.iterdir()) == [path]


def test_run_is_recorded(notebook):
    """Queda anotado de qué código, con qué versiones y en qué procesador salió, y nada más."""
    path = notebook("1 + 1")
    assert execute.main([path]) == 0
    executed = nbformat.read(path, as_version=4)
    recorded = executed.metadata.tarea4
    assert recorded.state == provenance.state(executed)
    assert recorded.versions.keys() == {"python", "keras", "tensorflow", "numpy"}
    assert recorded.versions.keras == keras.__version__
    assert recorded.machine.endswith(f", {joblib.cpu_count()} núcleos")
    assert recorded.keys() == {"state", "versions", "machine", "date", "seconds"}
    assert str(path.parent) not in str(recorded)
    assert execute.clean(copy.deepcopy(executed)) == executed


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("1 / 0", "falló en la celda 2: ZeroDivisionError"), ("import os; os._exit(1)", "se quedó sin núcleo")],
)
def test_failure_keeps_the_published_notebooks(notebook, capsys, source, sentence):
    """Un cuaderno que falla, o cuyo núcleo muere, se nombra en una frase, y todos quedan intactos.

    Corta al que corre a la vez, y los siguientes no empiezan.
    """
    path, busy, next_one = (
        notebook("print(1)", source),
        notebook("import time; time.sleep(600)", name="a la vez"),
        notebook("open('empezado', 'w').close()", name="siguiente"),
    )
    before = [each.read_bytes() for each in (path, busy, next_one)]
    assert execute.main([path, busy, next_one]) == 1
    assert f"{path} {sentence}" in capsys.readouterr().err
    assert [each.read_bytes() for each in (path, busy, next_one)] == before
    assert set(path.parent.iterdir()) == {path, busy, next_one}


def test_missing_notebook(capsys, tmp_path):
    """Un cuaderno que no está, o cuya carpeta no está, se dice en una frase, y no deja nada."""
    for path in (tmp_path / "no-existe.ipynb", tmp_path / "ni-la-carpeta" / "q1.ipynb"):
        assert execute.main([path]) == 1
        assert capsys.readouterr().err.startswith(f"{path} no existe.\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "esto no es un cuaderno", '{"cells": [', "{}"])
def test_not_a_notebook(capsys, tmp_path, content):
    """Un archivo que no es un cuaderno se dice en una frase y queda como estaba."""
    path = tmp_path / "cortado.ipynb"
    path.write_text(content, encoding="utf-8")
    assert execute.main([path]) == 1
    assert capsys.readouterr().err.startswith(f"{path} no es un cuaderno de Jupyter.\n")
    assert path.read_text(encoding="utf-8") == content
    assert list(tmp_path.iterdir()) == [path]


def test_two_notebooks_share_the_cores(notebook, monkeypatch):
    """Si van dos a la vez, cada operación se hace en un hilo, salvo que quien ejecuta diga otra cosa; con uno, no."""
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    ask = "import os; print(os.environ.get('TF_NUM_INTRAOP_THREADS'))"
    paths = [notebook(ask, name=name) for name in ("uno", "dos")]

    def told():
        return [nbformat.read(path, as_version=4).cells[0].outputs[0].text.strip() for path in paths]

    assert execute.main(paths) == 0
    assert told() == ["1", "1"]
    assert execute.main(paths[:1]) == 0
    assert told() == ["None", "1"]
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "4")
    assert execute.main(paths) == 0
    assert told() == ["4", "4"]
