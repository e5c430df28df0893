"""Prueba `tarea4.engine.code` y tools/provenance.py: qué cambios dejan anticuado lo recordado y lo publicado."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import nbformat
import provenance
import pytest

import tarea4
from tarea4.engine import code

CODE = '''"""Docstring del módulo."""

LIMIT = 3  # un comentario


# otro comentario
def area(x):
    """Una docstring,

    de varias líneas."""
    text = "# esto no es un comentario"
    return x * LIMIT, text
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Una copia del código de `tarea4`, con un módulo del que depende `statistics` y un estudio."""
    shutil.copytree(code.ROOT / "tarea4", tmp_path / "tarea4", ignore=shutil.ignore_patterns("*.npz", "__pycache__"))
    (tmp_path / "tarea4" / "other.py").write_text(CODE, encoding="utf-8")
    with (tmp_path / "tarea4" / "statistics.py").open("a", encoding="utf-8") as file:
        file.write("from tarea4.other import area\n")
    (tmp_path / "estudios" / "otros").mkdir(parents=True)
    (tmp_path / "estudios" / "otros" / "other.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(code, "ROOT", tmp_path)
    monkeypatch.setattr(provenance, "STUDIES", tmp_path / "estudios")
    return tmp_path


def state(*cells):
    """El estado de un cuaderno con esas celdas de código."""
    return provenance.state(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]))


def test_essence_keeps_only_what_runs():
    """De un módulo queda lo que se ejecuta, también las almohadillas de los textos."""
    assert code.essence(CODE).splitlines() == [
        "LIMIT = 3",
        "def area(x):",
        '    text = "# esto no es un comentario"',
        "    return x * LIMIT, text",
    ]


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("LIMIT = 3", "LIMIT = 4", True),
        ("# esto no", "# eso no", True),
        ("x * LIMIT", "LIMIT * x", True),
        ("def area", "def zone", True),
        ("# un comentario", "# una aclaración", False),
        ("# otro comentario\n", "", False),
        ("Docstring del módulo.", "Otra docstring.", False),
        ("de varias líneas.", "de varias\n    líneas.", False),
    ],
)
def test_only_code_makes_results_stale(project, old, new, stale):
    """Cambiar una línea que se ejecuta cambia el estado; cambiar un comentario o una docstring, no."""
    before = state("from tarea4 import compare")
    changed = CODE.replace(old, new)
    assert changed != CODE
    (project / "tarea4" / "other.py").write_text(changed, encoding="utf-8")
    assert (state("from tarea4 import compare") != before) is stale


@pytest.mark.parametrize(
    "cell",
    [
        "from tarea4 import mcnemar", "from tarea4.statistics import mcnemar", "import tarea4.statistics",
        "import tarea4.other as o", "from tarea4 import other, load", "from tarea4.report import q1",
        "def f():\n    from tarea4.report.claims import Answer",
    ],
)  # fmt: skip
def test_code_is_found_however_it_is_imported(project, cell):
    """Se llega al módulo cambiado por la puerta, por su nombre, a través de otros o desde dentro de una función."""
    assert "tarea4.other" in code.reached(cell)


def test_what_is_not_reached_does_not_count(project):
    """Un módulo del que el cuaderno no depende no lo deja anticuado, ni un estudio a quien no lee estudios."""
    cells = ("from tarea4 import load", "from tarea4.search import reading")
    before = [state(cell) for cell in cells]
    (project / "tarea4" / "other.py").write_text(CODE + "more = 1\n", encoding="utf-8")
    assert state(cells[0]) == before[0]
    (project / "tarea4" / "other.py").write_text(CODE, encoding="utf-8")
    (project / "estudios" / "otros" / "other.json").write_text("[]", encoding="utf-8")
    assert [state(cell) == old for cell, old in zip(cells, before, strict=True)] == [True, False]


def test_splitting_or_moving_a_file_cannot_weaken_it(project):
    """El código que pasa a otro archivo sigue contando; moverlo tal cual no cambia el resumen."""
    asked = "import tarea4.other"
    before = code.digest.__wrapped__(asked)
    (project / "tarea4" / "other.py").rename(project / "tarea4" / "moved.py")
    assert code.digest.__wrapped__("import tarea4.moved") == before
    (project / "tarea4" / "other.py").write_text("from tarea4.moved import area\n", encoding="utf-8")
    split = code.digest.__wrapped__(asked)
    (project / "tarea4" / "moved.py").write_text(CODE.replace("3", "4"), encoding="utf-8")
    assert len({before, split, code.digest.__wrapped__(asked)}) == 3


def test_how_data_are_read_is_not_what_was_trained(project):
    """Cambiar cómo se leen los datos no obliga a entrenar otra vez: los distingue su resumen."""
    asked = "import tarea4.data, tarea4.other"
    before = code.digest.__wrapped__(asked)
    for name in ("data", "reading"):
        with (project / "tarea4" / f"{name}.py").open("a", encoding="utf-8") as file:
            file.write("more = 1\n")
    assert code.digest.__wrapped__(asked) == before
    (project / "tarea4" / "other.py").write_text(CODE + "more = 1\n", encoding="utf-8")
    assert code.digest.__wrapped__(asked) != before


def test_many_threads_can_ask_at_once():
    """El resumen es el mismo aunque lo pidan a la vez, la primera vez, muchos hilos."""
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(code.digest.__wrapped__, ["import tarea4.training, tarea4.search.reading"] * 24))
    assert len(found) == 1


def test_every_public_name_is_reached_through_the_door():
    """Lo que se importa de `tarea4` cuenta con su módulo y con todo aquello de lo que este depende."""
    for name, home in tarea4.HOME.items():
        assert home in code.imported(f"from tarea4 import {name}")
    assert "tarea4.engine.epoch" in code.reached("from tarea4 import train")


def test_code_cells_count_and_prose_does_not():
    """Cambiar, añadir o reordenar celdas de código deja anticuado el cuaderno; su prosa y sus resultados, no."""
    new = nbformat.v4
    cells = [new.new_code_cell("1 + 1"), new.new_markdown_cell("Suma.")]
    shown = [new.new_code_cell("1 + 1", execution_count=1), new.new_markdown_cell("Otra prosa.")]
    assert provenance.state(new.new_notebook(cells=cells)) == provenance.state(new.new_notebook(cells=shown))
    assert len({state("1 + 1"), state("1 + 2"), state("1 + 1", "2"), state("2", "1 + 1")}) == 4
