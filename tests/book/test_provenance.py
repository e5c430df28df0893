"""Prueba herramientas/procedencia.py: qué cambios del código dejan anticuados los resultados de un cuaderno."""

import shutil

import nbformat
import procedencia
import pytest

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
def project(tmp_path):
    """Una copia del código de `tarea4`, con un módulo y un estudio más."""
    ignored = shutil.ignore_patterns("*.npz", "__pycache__")
    shutil.copytree(procedencia.ROOT / "tarea4", tmp_path / "tarea4", ignore=ignored)
    (tmp_path / "tarea4" / "answers" / "other.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "estudios" / "otros").mkdir(parents=True)
    (tmp_path / "estudios" / "otros" / "other.json").write_text("{}", encoding="utf-8")
    return tmp_path


def state(project, *cells):
    """El estado de un cuaderno con esas celdas sobre el código de `project`."""
    return procedencia.state(nbformat.v4.new_notebook(cells=list(cells)), procedencia.sources(project))


def test_essence_keeps_only_what_runs():
    """De un módulo queda lo que se ejecuta, también las almohadillas de los textos."""
    assert procedencia.essence(CODE).splitlines() == [
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
    before = state(project)
    changed = CODE.replace(old, new)
    assert changed != CODE
    (project / "tarea4" / "answers" / "other.py").write_text(changed, encoding="utf-8")
    assert (state(project) != before) is stale


READER = nbformat.v4.new_code_cell("from tarea4.studies import reader_study")


def test_every_file_counts(project):
    """Cambiar o renombrar cualquier fichero de `tarea4`, o un estudio, deja anticuados los resultados."""
    before = state(project, READER)
    paths = sorted(path for path in project.rglob("*.*") if path.is_file())
    assert {path.relative_to(project).as_posix() for path in paths} == procedencia.sources(project).keys()
    for path in paths:
        source = path.read_text(encoding="utf-8")
        path.write_text(f"{source}\nadded = 1\n", encoding="utf-8")
        assert state(project, READER) != before, path
        path.write_text(source, encoding="utf-8")
    assert state(project, READER) == before
    paths[-1].rename(paths[-1].with_name("renamed.py"))
    assert state(project, READER) != before


def test_studies_count_for_who_reads_them(project):
    """Un estudio cambiado deja anticuado al cuaderno que lee estudios, y no a otro."""
    before = [state(project, *cells) for cells in ((), (READER,))]
    (project / "estudios" / "otros" / "other.json").write_text("[]", encoding="utf-8")
    after = [state(project, *cells) for cells in ((), (READER,))]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False]


def test_code_cells_count_and_prose_does_not(project):
    """Cambiar una celda de código deja anticuado el cuaderno; cambiar su prosa o sus resultados, no."""
    cells = nbformat.v4.new_code_cell("1 + 1"), nbformat.v4.new_markdown_cell("Suma.")
    before = state(project, *cells)
    shown = nbformat.v4.new_code_cell("1 + 1", execution_count=1)
    assert state(project, shown, nbformat.v4.new_markdown_cell("Otra prosa.")) == before
    assert state(project, nbformat.v4.new_code_cell("1 + 2"), cells[1]) != before
    assert state(project, *cells, nbformat.v4.new_code_cell("2")) != before
