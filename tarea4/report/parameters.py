"""Los parámetros de los cuadernos: qué tipos hay, qué valores admiten y cómo se comprueban antes de entrenar.

Cada capítulo declara los suyos en su módulo; los valores por omisión están en la celda `parameters` de su cuaderno. Un
límite se escribe una vez, en su tipo, y de él sale la frase del error.
"""

import ast
import difflib
import itertools
import re
from collections.abc import Mapping
from contextlib import suppress
from types import NoneType, UnionType
from typing import Annotated, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

MAX_WEIGHTS = 10_000_000  # con más, varias semillas no caben en la memoria de un portátil


def _read(value):
    # papermill deja como texto las listas de `-p` y los números como 1e-5 de `-y`
    if isinstance(value, str):
        with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = ast.literal_eval(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 3.0 vale por 3; donde se pide un float, vuelve a serlo
    return tuple(value) if isinstance(value, list) else value


def _distinct(values):
    if len(set(values)) < len(values):
        raise ValueError
    return values


def _light(sizes):
    if sum(a * b for a, b in itertools.pairwise([784, *sizes])) > MAX_WEIGHTS:
        raise ValueError
    return sizes


SAID = {_distinct: "sin repetir", _light: f"que con imágenes de 784 píxeles no pasen de {MAX_WEIGHTS} pesos"}
Item, Schema = TypeVar("Item"), TypeVar("Schema", bound=BaseModel)
Integer, Number = Annotated[int, BeforeValidator(_read)], Annotated[float, BeforeValidator(_read)]
List = Annotated[tuple[Item, ...], BeforeValidator(_read), Field(min_length=1, max_length=100)]
Distinct = Annotated[List[Item], AfterValidator(_distinct)]
Path = Annotated[str | None, BeforeValidator(lambda value: None if value in ("", "None", "null") else value)]
Flag = Annotated[bool, Field(strict=False)]
Seed = Annotated[Integer, Field(ge=0, le=2**32 - 1)]
Epochs, BatchSize = Annotated[Integer, Field(ge=1, le=1000)], Annotated[Integer, Field(ge=1, le=1_000_000)]
Sizes = Annotated[List[Annotated[Integer, Field(ge=1, le=10_000)]], AfterValidator(_light)]
Networks, Alphas = Distinct[Sizes], Distinct[Annotated[Number, Field(ge=0)]]
Rate, Alpha = Annotated[Number, Field(ge=0, lt=1)], Annotated[Number, Field(ge=0)]
Positive, Fraction = Annotated[Number, Field(gt=0)], Annotated[Number, Field(gt=0, le=1)]
Trials = Annotated[Integer, Field(ge=0, le=100_000)]


def meaning(text: str, *default, **limits) -> FieldInfo:
    """Un parámetro con su significado, que es también el comentario de su línea en el cuaderno."""
    return Field(*default, description=text, **limits)


class Common(BaseModel):
    """Lo que tienen los cinco cuadernos."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    data_path: Path = meaning("archivo .npz con otros datos; None es MNIST")
    seeds: Distinct[Seed] = meaning("semillas: cada red se entrena una vez con cada una")
    epochs: Epochs = meaning("épocas de cada entrenamiento")
    batch_size: BatchSize = meaning("imágenes por lote")
    verbose: Flag = meaning("si se muestra una barra de progreso")

    @property
    def options(self) -> dict[str, int | bool]:
        """Las opciones de `tarea4.training.Training` que fijan los parámetros."""
        return self.model_dump(include={"epochs", "batch_size", "verbose"})


class Regularised(Common):
    """Los de los capítulos que regularizan."""

    dropout: Rate = meaning("tasa de dropout sobre la entrada")
    alpha_l1: Alpha = meaning("factor de la penalización l1")
    alpha_l2: Alpha = meaning("factor de la penalización l2")


class Thresholds(Common):
    """Los de los capítulos que miran los umbrales de 2020."""

    loss_threshold: Positive = meaning("pérdida máxima")
    accuracy_threshold: Fraction = meaning("exactitud mínima")


class Studied(Common):
    """Los de los capítulos que leen estudios."""

    n_trials: Trials = meaning("ensayos que se añaden al estudio publicado, en una copia")
    storage: Path = meaning("almacén de otro estudio, archivo o URL; None es el publicado, que no se toca")


def check_parameters(namespace: Mapping[str, object], schema: type[Schema]) -> Schema:
    """Comprueba los parámetros de un cuaderno y los convierte a su tipo, inmutable; las listas, a tuplas.

    `namespace` son los `globals()` del cuaderno. Un nombre público con un literal que `schema` no declara es un error,
    salvo los que calculan otras celdas: así vale lo mismo la primera vez que la segunda en el mismo núcleo.

    Raises
    ------
    ValueError
        Si falta un parámetro, sobra un nombre o un valor no se admite: una frase por cada uno.
    """
    declared, literals = schema.model_fields, bool | int | float | str | list | tuple | dict | None
    values = {name: namespace[name] for name in declared if name in namespace}
    others = {"In", "Out"} | _computed(namespace.get("In", ()))
    public = {k: v for k, v in namespace.items() if not k.startswith("_") and k not in others}
    values |= {name: value for name, value in public.items() if isinstance(value, literals)}
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        names = dict.fromkeys(detail["loc"][0] for detail in error.errors())  # una frase por parámetro
        raise ValueError("\n".join(_complaint(name, values, declared) for name in names)) from None


def _computed(cells: list[str]) -> set[str]:
    """Los nombres que las celdas ejecutadas calculan o importan: todos, menos los que reciben una constante."""
    names = set()
    for cell in cells:
        with suppress(SyntaxError):  # una orden de IPython
            lines = [line for line in ast.parse(cell).body if not _is_constant(line)]
            nodes = [node for line in lines for node in ast.walk(line)]
            names |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            names |= {node.asname or node.name for node in nodes if isinstance(node, ast.alias)}
    return names


def _is_constant(line: ast.stmt) -> bool:
    return isinstance(line, ast.Assign | ast.AnnAssign) and not any(
        isinstance(node, ast.Name | ast.Call) for node in ast.walk(line.value or line)
    )


def _complaint(name, values, declared):
    if name not in declared:
        near = difflib.get_close_matches(name.lower(), declared, n=1)
        hint = f"¿quisiste decir '{near[0]}'?" if near else f"se admiten {', '.join(declared)}."
        return f"parámetro desconocido '{name}': {hint}"
    received = f"se recibió {values[name]!r:.200}" if name in values else "no se recibió ningún valor"
    return f"{name}: {received} y se admite {allowed(declared[name])}."


def allowed(field: FieldInfo) -> str:
    """Qué valores admite un parámetro, a partir de su tipo: «un entero entre 1 y 1000»."""
    return _say(field.annotation, field.metadata)


def _say(annotation, metadata=(), *, plural: bool = False) -> str:
    kind, *inner = get_args(annotation) if get_origin(annotation) is Annotated else [annotation]
    metadata = [limit for each in (*inner, *metadata) for limit in getattr(each, "metadata", [each])]
    limits = {name: getattr(each, name) for each in metadata for name in LIMITS if hasattr(each, name)}
    extra = "".join(f", {SAID[each.func]}" for each in metadata if getattr(each, "func", None) in SAID)
    options = get_args(kind)
    if get_origin(kind) in (UnionType, Union):
        return ", o ".join("None" if each is NoneType else _say(each, metadata) for each in options)
    if get_origin(kind) is Literal:
        return f"{', '.join(map(repr, options[:-1]))} o {options[-1]!r}"
    if get_origin(kind) is tuple:
        noun, items = "listas" if plural else "una lista", _say(options[0], plural=True)
        return f"{noun} de {limits['min_length']} a {limits['max_length']} {items}{extra}"
    if kind in (bool, str):
        return "True o False" if kind is bool else "un texto"
    noun = ("enteros" if plural else "un entero") if kind is int else ("números" if plural else "un número")
    return f"{noun}{_bounds(**limits)}{extra}"


LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length")


def _bounds(ge=None, gt=None, le=None, lt=None) -> str:
    low, high = (gt if ge is None else ge), (lt if le is None else le)
    if high is None:
        return f" por encima de {low}, sin el infinito" if ge is None else f" de {low} en adelante, sin el infinito"
    without = "".join(f", sin el {bound}" for bound in (gt, lt) if bound is not None)
    return f" entre {low} y {high}{without}"


def parameter_table(parameters: Common) -> str:
    """Tabla de Markdown con el valor y el significado de cada parámetro."""
    rows = ["| Parámetro | Valor | Significado |", "| --- | --- | --- |"]
    # en los textos, todo signo va como entidad: ningún valor llega a la página como HTML, Markdown o fórmula
    for name, value in parameters.model_dump(mode="json").items():
        shown = re.sub(r"[^\w ]|_", lambda c: f"&#{ord(c[0])};", value) if isinstance(value, str) else repr(value)
        rows.append(f"| `{name}` | <code>{shown}</code> | {type(parameters).model_fields[name].description} |")
    return "\n".join(rows)
