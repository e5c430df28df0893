"""Lo que se publica en los cinco cuadernos: ejecutados, limpios, descritos y breves."""

import ast
import copy
import re
from pathlib import Path

import execute
import mutants
import nbformat
import papermill
import provenance
import pytest

from tarea4.report import q1, q2, q3, q4, q5

ROOT = Path(__file__).parents[2]
SCHEMAS = {"q1": q1, "q2": q2, "q3": q3, "q4": q4, "q5": q5}
NAMES = list(SCHEMAS)
MACHINE_PATH = re.compile(rf"{re.escape(str(ROOT))}|/(home|root|Users|tmp|site-packages)/|\b[A-Z]:\\")


@pytest.fixture(params=NAMES)
def name(request):
    """Nombre de un cuaderno, sin extensión."""
    return request.param


@pytest.fixture
def notebook(name):
    """El cuaderno publicado."""
    return nbformat.read(ROOT / "book" / f"{name}.ipynb", as_version=4)


def code(notebook):
    """Celdas de código."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def figures(cell):
    """Figuras de la celda, como las escribe `tarea4.report.html.figure`: el HTML de cada una."""
    return [html for out in cell.outputs if "<img" in (html := str(out.get("data", {}).get("text/html", "")))]


def tags(cell):
    """Etiquetas de la celda."""
    return cell.metadata.get("tags", [])


def test_every_cell_was_executed_in_order(notebook):
    """Se ejecutó entero y por orden en un núcleo nuevo: nbval no compara una celda que no se ejecutó."""
    counts = [cell.execution_count for cell in code(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert any(cell.outputs for cell in code(notebook))


def test_outputs_are_clean(notebook):
    """No hay errores, ni avisos en stderr, ni rutas de una máquina."""
    for cell in code(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source
            texts = re.sub(r'base64,[^"]*', "", str([output.get("text", ""), output.get("data", {})]))
            assert not MACHINE_PATH.search(texts), cell.source


def test_no_trace_of_the_run_in_metadata(notebook):
    """No quedan los metadatos que `make` quita, y en los que pone no hay rutas de una máquina."""
    assert execute.clean(copy.deepcopy(notebook)) == notebook
    assert "papermill" not in str([notebook.metadata, *(cell.metadata for cell in notebook.cells)])
    assert "widgets" not in notebook.metadata
    assert not MACHINE_PATH.search(str(notebook.metadata))


def test_results_come_from_this_code(name, notebook):
    """Los resultados publicados salieron de este cuaderno, este `tarea4` y estos estudios: nada cambió después."""
    recorded = notebook.metadata.get("tarea4", {}).get("state")
    current = provenance.state(notebook)
    assert recorded == current, f"algo cambió después de ejecutar {name}.ipynb: repítelo con make cuadernos"


def test_figures_are_described(notebook):
    """Una figura por celda, con texto alternativo y pie; ninguna imagen suelta, que no los tendría."""
    shown = [cell for cell in code(notebook) if figures(cell)]
    assert shown
    for cell in shown:
        (html,) = figures(cell)
        assert len(re.search(r'alt="([^"]*)"', html)[1]) > 20, cell.source
        assert len(re.search(r"<figcaption>([^<]*)<", html)[1]) > 20, cell.source
    kinds = [kind for cell in code(notebook) for out in cell.outputs for kind in out.get("data", {})]
    assert not [kind for kind in kinds if kind.startswith("image/")]


# En otro procesador pueden cambiar de palabras o de filas: cuántas semillas llegan a un umbral y entre qué épocas, qué
# tramos de confianza tienen imágenes y cuáles son los doce errores más seguros.
NOT_COMPARED = {"q2-26", "q5-33", "q5-46", *(f"{name}-record" for name in SCHEMAS)}  # lo anotado lleva la fecha


def test_nbval_compares_every_result(notebook):
    """Solo quedan sin comparar las celdas de `NOT_COMPARED`."""
    ignored = {cell.id for cell in code(notebook) if "nbval-ignore-output" in tags(cell)}
    assert ignored == {cell.id for cell in code(notebook)} & NOT_COMPARED
    excused = {cell.id for cell in code(notebook) if "may_differ" in cell.metadata.get("tarea4", {})}
    assert excused <= {"q5-32"}  # las confusiones más frecuentes: sus cuentas las comprueban los invariantes


BUILDS_OR_TRAINS = re.compile(r"\b(plain|regularised|best_recipe|train|train_seeds|train_all)\(")


def test_code_is_short(notebook):
    """Ninguna celda, salvo la lista de parámetros, pasa de 12 líneas, y el cuaderno importa en 8 como mucho."""
    for cell in code(notebook):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 12 or "parameters" in tags(cell), cell.source
    lines = "\n".join(cell.source for cell in code(notebook)).splitlines()
    assert 0 < len([line for line in lines if re.match(r"\s*(import|from) ", line)]) <= 8


def test_what_builds_and_trains_is_in_sight(notebook):
    """Se ven las celdas que construyen y entrenan redes, y se pliegan las demás."""
    in_sight = [cell for cell in code(notebook) if not {"hide-input", "remove-cell"} & set(tags(cell))]
    assert in_sight == [cell for cell in code(notebook) if BUILDS_OR_TRAINS.search(cell.source) and not logits(cell)]
    assert any("train_all(" in cell.source for cell in in_sight)


def logits(cell):
    """Si la celda solo reconstruye una red para leer sus logits."""
    return "set_weights" in cell.source


def test_parameters_cell(name, notebook):
    """Hay una celda de parámetros, con los de su capítulo, su tipo y su significado, y la siguiente los comprueba."""
    marked = ["parameters" in tags(cell) for cell in code(notebook)]
    assert marked.count(True) == 1
    assert "check_parameters(globals()" in code(notebook)[marked.index(True) + 1].source
    declared = papermill.inspect_notebook(ROOT / "book" / f"{name}.ipynb")
    fields = SCHEMAS[name].Parameters.model_fields
    assert {key: parameter["help"] for key, parameter in declared.items()} == {
        key: field.description for key, field in fields.items()
    }
    assert all(parameter["inferred_type_name"] != "None" for parameter in declared.values())


TYPED = re.compile(r"\d+[.,]\d+|\d+\s?%")
QUOTED = re.compile(
    r"(?s:```bash\n.*?```)|^```.*$|^>.*$|«[^»]*»|`[^`]*`|\$[^$]*\$|\{cite[^`]*`[^`]*`|\]\([^)]*\)",
    re.MULTILINE,
)


def typed_numbers(text):
    """Cifras con decimales o porcentajes escritos a mano, en frases que no citan a 2020."""
    return [s for s in re.split(r"(?<=[.:|])\s", QUOTED.sub("", text)) if TYPED.search(s) and "2020" not in s]


def test_no_number_is_typed_into_prose(notebook):
    """La prosa no lleva cifras medidas escritas a mano: se calculan, o citan a 2020."""
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert [found for text in prose for found in typed_numbers(text)] == []


def test_no_number_is_typed_into_the_conclusions():
    """Tampoco las conclusiones: en su tabla, solo la columna de 2020 lleva cifras escritas."""
    text = (ROOT / "book" / "conclusiones.md").read_text(encoding="utf-8")
    header, rows = None, []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        header = header or cells or None
        rows += [cell for name, cell in zip(header or [], cells, strict=False) if "2020" not in name]
    prose = [line for line in text.splitlines() if not line.startswith("|")]
    assert [found for part in [*prose, *rows] for found in typed_numbers(part)] == []


def test_a_typed_number_is_found():
    """El buscador encuentra una cifra escrita a mano, y deja pasar una citada."""
    assert typed_numbers("La exactitud llega a 0,9812 en prueba.")
    assert typed_numbers("Sube un 3 % con dropout.")
    assert not typed_numbers("En 2020 dio 0.9752. Dijo «97,5 %» y `0.08`.")


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_every_mutant_still_has_what_to_spoil(name):
    """Lo que cambia cada programa equivocado de `mutants` está en el código de hoy, y lo que queda se puede leer."""
    _, file, old, new = mutants.MUTANTS[name]
    text = (mutants.ROOT / file).read_text(encoding="utf-8")
    assert old in text
    spoiled = text.replace(old, new, 1)
    assert spoiled != text
    compile(spoiled, file, "exec") if file.endswith(".py") else nbformat.reads(spoiled, as_version=4)


def test_a_name_is_given_in_one_cell(notebook):
    """Ningún nombre se pone en dos celdas: volver a una anterior no encuentra otra cosa con el suyo."""
    given = {}
    for cell in code(notebook):
        for node in ast.parse(cell.source).body:
            for target in getattr(node, "targets", [getattr(node, "target", None)]):
                for each in ast.walk(target) if target else ():
                    if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store) and not each.id.startswith("_"):
                        given.setdefault(each.id, set()).add(cell.id)
    assert {name: cells for name, cells in given.items() if len(cells) > 1} == {}
