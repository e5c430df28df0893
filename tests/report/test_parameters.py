"""`tarea4.report.parameters`: qué se admite, con qué frase se rechaza lo demás y cómo se enseña."""

import ast
import math
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import numpy as np
import papermill
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from markdown_it import MarkdownIt
from papermill.translators import PythonTranslator
from pydantic import ValidationError
from traitlets.config import Config

from tarea4.report import q1, q2, q3, q4, q5
from tarea4.report.parameters import allowed, check_parameters, parameter_table

BOOK = Path(__file__).parents[2] / "book"
Q1, Q2, Q3, Q4, Q5 = SCHEMAS = [chapter.Parameters for chapter in (q1, q2, q3, q4, q5)]
VALID = {
    "data_path": None,
    "seeds": [0, 1, 2],
    "epochs": 50,
    "batch_size": 128,
    "verbose": False,
    "model": "ambos",
    "hidden_sizes": [40, 50, 15],
    "hidden_sizes_regularised": [40, 50, 15, 15],
    "dropout": 0.2,
    "alpha_l1": 70e-15,
    "alpha_l2": 3e-15,
    "loss_threshold": 0.08,
    "accuracy_threshold": 0.98,
    "n_bins": 15,
    "candidates": [[40, 50, 15], [25, 45, 25]],
    "n_trials": 0,
    "storage": None,
    "epochs_best": 20,
}
# De cada tipo, un parámetro; los que comparten tipo, en `test_parameters_of_a_type_admit_the_same`.
GOOD = [
    ("data_path", "otros datos/números.npz", "otros datos/números.npz"),
    ("data_path", "123", "123"),
    *[("storage", text, None) for text in ("None", "null", "")],
    ("seeds", "0,1,2", (0, 1, 2)),
    ("seeds", ["3", 4.0, " 5 "], (3, 4, 5)),
    ("seeds", (0, 2**32 - 1), (0, 2**32 - 1)),
    ("epochs", "3.0", 3),
    ("epochs", "1e3", 1000),
    ("epochs", 1, 1),
    ("batch_size", 1_000_000, 1_000_000),
    *[("verbose", value, True) for value in (True, "true", 1)],
    ("verbose", "false", False),
    ("model", "regularizado", "regularizado"),
    ("hidden_sizes", [1, 10_000], (1, 10_000)),
    ("hidden_sizes", [40] * 100, (40,) * 100),
    ("alpha_l1", "1e-5", 1e-5),
    ("alpha_l1", 0, 0.0),
    ("alpha_l1", 1e300, 1e300),
    ("dropout", "0.1", 0.1),
    ("loss_threshold", 1, 1.0),
    ("accuracy_threshold", "1", 1.0),
    ("n_bins", 2, 2),
    ("n_bins", 100, 100),
    ("candidates", [["40", 50.0], "[25]"], ((40, 50), (25,))),
    ("n_trials", 100_000, 100_000),
]
NOT_NUMBERS = [None, "tres", "", True, "True", math.nan, "nan", math.inf, -math.inf, "1e999", [1], {}, "1" * 5000, 1j]
NOT_LITERALS = ["{[]: 1}", "-" * 5000 + "1", "\0", "0 0"]
BAD = [
    *[("data_path", value) for value in (3, True, ["a.npz"], {})],
    *[("seeds", value) for value in ([], "[]", [0, 0], [1, "1"], [-1], [2**32], [0.5], [True], 3, None, {0: 1})],
    *[("seeds", value) for value in ("0 1 2", "[0, 1", [math.nan], [[0]], "(" * 1000, list(range(101)))],
    *[("epochs", value) for value in [0, 1001, "2.5", *NOT_NUMBERS]],
    *[("batch_size", value) for value in (0, 1_000_001)],
    *[("verbose", value) for value in (None, "sí", 2, [True])],
    *[("model", value) for value in ("Simple", "", None, 1, ["simple"])],
    *[("hidden_sizes", value) for value in ([], [0], [40.5], [True], [10_001], [40] * 101, 40, None, "")],
    *[("alpha_l1", value) for value in [-1e-15, "-1e-5", 10**400, *NOT_LITERALS, *NOT_NUMBERS]],
    *[("dropout", value) for value in (-0.1, 1.0, "1.5")],
    *[("loss_threshold", value) for value in (0, -0.08, math.inf)],
    *[("accuracy_threshold", value) for value in (0, 1.01)],
    *[("n_bins", value) for value in (1, 101)],
    *[("candidates", value) for value in ([], [[]], [[40], []], [[40], [40]], [40, 50], [[0]], [["a"]])],
    *[("n_trials", value) for value in (-1, 100_001)],
]


def shorten(value):
    return repr(value)[:30]


def cell(schema, **changes):
    return {name: VALID[name] for name in schema.model_fields} | changes


def schema_of(name):
    return next(schema for schema in SCHEMAS if name in schema.model_fields)


def message(namespace, schema):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # el mensaje se comprueba fuera
        check_parameters(namespace, schema)
    return str(caught.value)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_schema_accepts_its_cell_and_declares_every_text(schema):
    """La celda de cada cuaderno se acepta, y todo parámetro dice qué significa y qué admite."""
    parameters = check_parameters(cell(schema), schema)
    assert parameters.seeds == (0, 1, 2)
    assert all(field.is_required() and field.description for field in schema.model_fields.values())
    assert all(allowed(field) for field in schema.model_fields.values())


@pytest.mark.parametrize(("name", "received", "expected"), GOOD, ids=shorten)
def test_good_values_are_converted(name, received, expected):
    """Lo que papermill deja como texto llega convertido, con su tipo exacto, y los extremos se admiten."""
    schema = schema_of(name)
    value = getattr(check_parameters(cell(schema, **{name: received}), schema), name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(("name", "received"), BAD, ids=shorten)
def test_bad_values_are_refused_in_one_sentence(name, received):
    """Cada valor malo se rechaza con una sola frase: el nombre, lo recibido y lo que se admite."""
    schema = schema_of(name)
    limits = allowed(schema.model_fields[name])
    said = message(cell(schema, **{name: received}), schema)
    assert said == f"{name}: se recibió {repr(received)[:200]} y se admite {limits}."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data_path", "un texto, o None"),
        ("seeds", "una lista de 1 a 100 enteros entre 0 y 4294967295, sin repetir"),
        ("epochs", "un entero entre 1 y 1000"),
        ("batch_size", "un entero entre 1 y 1000000"),
        ("verbose", "True o False"),
        ("model", "'ambos', 'simple' o 'regularizado'"),
        ("hidden_sizes", "una lista de 1 a 100 enteros entre 1 y 10000, que con imágenes de 784 píxeles no pasen de "
         "10000000 pesos"),
        ("dropout", "un número entre 0 y 1, sin el 1"),
        ("alpha_l1", "un número de 0 en adelante, sin el infinito"),
        ("loss_threshold", "un número por encima de 0, sin el infinito"),
        ("accuracy_threshold", "un número entre 0 y 1, sin el 0"),
        ("n_bins", "un entero entre 2 y 100"),
        ("candidates", "una lista de 1 a 100 listas de 1 a 100 enteros entre 1 y 10000, que con imágenes de 784 "
         "píxeles no pasen de 10000000 pesos, sin repetir"),
        ("n_trials", "un entero entre 0 y 100000"),
    ],
)  # fmt: skip
def test_limits_are_said_in_words(name, text):
    """La frase de cada tipo, palabra por palabra: sale de los límites declarados, y un cambio ha de ser deliberado."""
    assert allowed(schema_of(name).model_fields[name]) == text


def test_parameters_of_a_type_admit_the_same():
    """Los parámetros de igual tipo, en cualquier capítulo, admiten lo mismo que el que se prueba."""
    alike = {"storage": "data_path", "hidden_sizes_regularised": "hidden_sizes", "alpha_l2": "alpha_l1"}
    alike["epochs_best"] = "epochs"
    for schema in SCHEMAS:
        for name, field in schema.model_fields.items():
            tested = alike.get(name, name)
            said, first = allowed(field), schema_of(tested).model_fields[tested]
            if None in get_args(field.annotation) or type(None) in get_args(field.annotation):
                assert said.removesuffix(", o None") == allowed(first).removesuffix(", o None"), name
            else:
                assert (said, field.metadata[:1]) == (allowed(first), first.metadata[:1]), name


@pytest.mark.parametrize(("chapter", "schema"), [*zip(("q1", "q2", "q3", "q4", "q5"), SCHEMAS, strict=True)])
def test_comments_of_the_notebooks_are_the_meanings(chapter, schema):
    """El comentario de cada parámetro en su cuaderno es su significado, y la celda no tiene otros ni le faltan."""
    cell = papermill.inspect_notebook(f"{BOOK}/{chapter}.ipynb")
    assert {name: each["help"] for name, each in cell.items()} == {
        name: field.description for name, field in schema.model_fields.items()
    }
    values = {name: ast.literal_eval(each["default"]) for name, each in cell.items()}
    assert check_parameters(values, schema).model_dump(mode="json") == values


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("alfa_l1", "alpha_l1"), ("EPOCHS", "epochs")],
)
def test_unknown_names_get_a_suggestion(name, suggested):
    """Un nombre mal escrito se rechaza y se propone el declarado que más se le parece."""
    assert message(cell(Q4, **{name: 1}), Q4) == f"parámetro desconocido '{name}': ¿quisiste decir '{suggested}'?"


def test_unknown_literals_of_any_type_list_what_is_allowed():
    """Un nombre sin parecido alguno se rechaza, sea cual sea su literal, y se dan los que hay; lo demás no estorba."""
    names = ", ".join(Q2.model_fields)
    for value in (None, True, 1, 1.0, "x", [1], (1,), {"a": 1}):
        assert message(cell(Q2, zzz=value), Q2) == f"parámetro desconocido 'zzz': se admiten {names}."
    assert check_parameters(cell(Q2, zzz=np.arange(2), _zzz=1), Q2) == check_parameters(cell(Q2), Q2)


def test_the_paths_of_papermill_are_not_parameters():
    """Lo que añade `papermill --inject-paths` ni estorba ni se toma por un parámetro."""
    paths = {"PAPERMILL_INPUT_PATH": "q2.ipynb", "PAPERMILL_OUTPUT_PATH": "salida.ipynb"}
    assert check_parameters(cell(Q2, **paths), Q2) == check_parameters(cell(Q2), Q2)


def test_a_deleted_parameter_is_an_error():
    """Ningún parámetro tiene un valor por omisión escondido en el módulo."""
    for name, field in Q4.model_fields.items():
        namespace = {key: value for key, value in cell(Q4).items() if key != name}
        assert message(namespace, Q4) == f"{name}: no se recibió ningún valor y se admite {allowed(field)}."


def test_several_errors_are_told_together():
    """Todos los errores salen de una vez, una línea por parámetro aunque fallen varios de sus elementos."""
    said = message(cell(Q4, dropout=1.5, hidden_sizes=[0, -1, "a"], alfa_l1=1), Q4)
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "dropout",
        "hidden_sizes",
        "parámetro desconocido 'alfa_l1'",
    ]


def test_the_error_is_shown_alone():
    """El error de pydantic, en inglés y con una dirección de la red por línea, no acompaña a la frase."""
    with pytest.raises(ValueError, match=r"^epochs: se recibió 0 ") as caught:
        check_parameters(cell(Q4, epochs=0), Q4)
    assert type(caught.value) is ValueError
    assert caught.value.__suppress_context__


def test_the_result_cannot_be_changed():
    """Los parámetros comprobados son inmutables, listas incluidas."""
    parameters = check_parameters(cell(Q4), Q4)
    with pytest.raises(ValidationError):
        parameters.epochs = 0
    assert isinstance(parameters.hidden_sizes, tuple)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Un núcleo de IPython: ejecuta celdas y comprueba los parámetros de Q4 que dejan."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config, user_ns={})

    def run(*codes):
        for code in codes:
            shell.run_cell(code, store_history=True).raise_error()
        return check_parameters(shell.user_ns, Q4)

    return run


DECLARED = "\n".join(f"{name} = {value!r}" for name, value in VALID.items() if name in Q4.model_fields)
UNKNOWN = ["alfa_l1 = 1e-4", "alfa_l1: float = 10**-4", "alfa_l1 = [1, -2]", "alfa_l1 = _otra = None"]


def test_in_a_kernel_only_parameters_count(kernel):
    """Lo que dejan IPython, `import`, `def`, `class` y los nombres privados no son parámetros."""
    code = "import math\nfrom math import pi, e as euler\ndef f(): pass\nclass A: pass\n_hidden = 1"
    assert kernel(code, DECLARED, "1 + 1") == check_parameters(cell(Q4), Q4)


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_an_unknown_name_is_refused_at_every_pass(kernel, unknown):
    """Un nombre que no se declara se rechaza la primera vez y la segunda, ya calculado todo lo demás."""
    said = r"^parámetro desconocido 'alfa_l1': ¿quisiste decir 'alpha_l1'\?$"
    with pytest.raises(ValueError, match=said):
        kernel(DECLARED, unknown)
    with pytest.raises(ValueError, match=said):
        kernel("best = max([1, 2])", DECLARED, "print(alfa_l1)")
    with pytest.raises(ValueError, match=r"^epochs: se recibió 0"):
        kernel("del alfa_l1", "epochs = 0")


def test_a_cell_runs_twice(kernel):
    """Con todo calculado, repetir la celda de los parámetros o cambiar uno pasa igual que la primera vez."""
    computed = [
        "best, (runs, *rest) = max([1, 2]), [len('a'), 2, 3]",
        "for seconds in range(3):\n    total = sum([1])",
        "text: str = str(2)\ntotal += 1\nif best:\n    kept = 3\nwith open('/dev/null') as file:\n    lines = 0",
    ]
    first = kernel("from math import pi, e as euler", DECLARED)
    assert kernel(*computed) == first
    assert kernel(DECLARED, "from math import pi", *computed) == first
    assert kernel(DECLARED, "epochs = 3").epochs == 3


def test_a_cell_with_a_command_hides_nothing(kernel):
    """Una orden de IPython en el historial no impide comprobar las demás celdas."""
    with pytest.raises(ValueError, match="'alfa_l1'"):
        kernel("best = max([1, 2])", "!true", DECLARED, "alfa_l1 = 1")


@pytest.mark.parametrize("sizes", [[10_000], [40] * 100, [4000, 1500]])
def test_networks_that_fit_in_memory_are_accepted(sizes):
    """Hasta diez millones de pesos se admiten; es una sola capa de 10000, o cien de 40."""
    assert check_parameters(cell(Q4, hidden_sizes=sizes), Q4).hidden_sizes == tuple(sizes)


@pytest.mark.parametrize("sizes", [[10_000, 300], [4000, 2000]])
def test_networks_that_would_kill_the_kernel_are_refused(sizes):
    """Una red de más de diez millones de pesos se rechaza antes de entrenar, y se dice el límite."""
    assert "no pasen de 10000000 pesos" in message(cell(Q4, hidden_sizes=sizes), Q4)


def test_values_that_are_not_literals_are_refused():
    """Un parámetro declarado se comprueba aunque valga un objeto que no es un literal."""
    assert message(cell(Q4, seeds=np.arange(3)), Q4).startswith("seeds: se recibió array([0, 1, 2])")


# siempre los mismos ejemplos y sin límite de tiempo: el resultado no depende del reloj ni de corridas anteriores
fixed = settings(derandomize=True, database=None, deadline=None)
unit = st.floats(0, 1, exclude_max=True)
sizes = st.lists(st.integers(1, 900), min_size=1, max_size=6)
valid = st.fixed_dictionaries(
    {
        "data_path": st.none(),
        "seeds": st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=6, unique=True),
        "epochs": st.integers(1, 1000),
        "batch_size": st.integers(1, 1_000_000),
        "verbose": st.booleans(),
        "hidden_sizes": sizes,
        "dropout": unit,
        "alpha_l1": st.floats(0, allow_infinity=False),
        "alpha_l2": st.floats(0, allow_infinity=False),
        "n_trials": st.integers(0, 100_000),
        "storage": st.none(),
    }
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)


@fixed
@given(valid)
def test_valid_values_survive_papermill_as_they_are_and_as_text(values):
    """Todo valor admitido llega igual por la celda que inyecta papermill y escrito como texto."""
    expected = check_parameters(values, Q4)
    assert expected.model_dump(mode="json") == values
    injected, as_text = {}, {name: str(value) for name, value in values.items()}
    exec(PythonTranslator.codify(values), injected)
    assert check_parameters(injected, Q4) == expected
    exec(PythonTranslator.codify(as_text), as_text)
    assert check_parameters(as_text, Q4) == expected


@fixed
@given(st.sampled_from(list(Q4.model_fields)), anything)
def test_any_value_is_either_within_the_limits_or_refused_by_name(name, value):
    """Ningún literal pasa fuera de los límites ni provoca otro error que la frase con el nombre del parámetro."""
    refusal = None
    try:
        p = check_parameters(cell(Q4, **{name: value}), Q4)
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        limits = allowed(Q4.model_fields[name])
        assert refusal == f"{name}: se recibió {repr(value)[:200]} y se admite {limits}."
        return
    assert p.data_path is None or isinstance(p.data_path, str)
    assert len(set(p.seeds)) == len(p.seeds) >= 1
    assert all(type(seed) is int and 0 <= seed < 2**32 for seed in p.seeds)
    assert type(p.epochs) is int
    assert 1 <= p.epochs <= 1000
    assert all(type(size) is int and 1 <= size <= 10_000 for size in p.hidden_sizes)
    assert 0 <= p.dropout < 1
    assert type(p.n_trials) is int
    assert 0 <= p.n_trials <= 100_000
    assert p.storage is None or isinstance(p.storage, str)
    assert all(0 <= alpha < math.inf for alpha in (p.alpha_l1, p.alpha_l2))


class Cells(HTMLParser):
    """Las etiquetas de una página y el texto de sus celdas."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.cells = set(), []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        assert not attributes, attributes
        if tag in {"th", "td"}:
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data.strip("\n")


def rendered(table):
    return Cells(MarkdownIt("gfm-like").render(table))


def test_the_table_has_a_row_for_each_parameter():
    """La tabla da, por parámetro, su nombre, su valor como se escribe en el cuaderno y su significado."""
    cells = rendered(parameter_table(check_parameters(cell(Q5), Q5))).cells
    rows = [cells[start : start + 3] for start in range(0, len(cells), 3)]
    assert rows[0] == ["Parámetro", "Valor", "Significado"]
    assert [name for name, _, _ in rows[1:]] == list(Q5.model_fields)
    assert {name: ast.literal_eval(value) for name, value, _ in rows[1:]} == cell(Q5)
    assert [meaning for _, _, meaning in rows[1:]] == [field.description for field in Q5.model_fields.values()]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a|b`c`|d",
        "</code><img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](http://example.org/x.png)",
        "**a** __b__ ~~c~~ $d$ {{ e }} {ref}`f` &lt;g&gt;",
        "http://example.org www.example.org",
        "\\|<b>",
        "a\n\n# b",
        "ruta/con espacios y ñ.npz",
    ],
)
def test_no_text_reaches_the_page_as_markup(text):
    """Ni HTML, ni Markdown, ni la barra de las tablas salen de su celda, y el valor se lee entero."""
    table = parameter_table(check_parameters(cell(Q2, data_path=text), Q2))
    assert len(table.splitlines()) == 2 + len(Q2.model_fields)
    assert not set(table.splitlines()[2].split("<code>")[1].split("</code>")[0]) & set("<>|`$*_[]{}\\")
    page = rendered(table)
    assert page.tags == {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert page.cells[4] == text


@fixed
@given(st.text(min_size=1))
def test_no_text_at_all_breaks_the_table(text):
    """Cualquier texto cabe en su celda: mismas filas, mismas etiquetas."""
    table = parameter_table(check_parameters(cell(Q2, data_path=text), Q2))
    reference = rendered(parameter_table(check_parameters(cell(Q2), Q2)))
    page = rendered(table)
    assert page.tags == reference.tags
    assert page.cells[:4] + page.cells[5:] == reference.cells[:4] + reference.cells[5:]
    value = table.splitlines()[2].split("<code>")[1].split("</code>")[0]
    assert not set(value) & set("<>|`$*_[]{}\\")
