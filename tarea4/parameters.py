"""Los parámetros de los cuadernos: qué significan, qué valores admiten y cómo se comprueban antes de entrenar.

Los valores por omisión no están aquí, sino en la celda `parameters` de cada cuaderno.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError


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


def _parameter(meaning, allowed, **limits):
    return Field(description=meaning, json_schema_extra={"allowed": allowed}, **limits)


def _option(default, meaning, allowed, **limits):
    return Field(default, description=meaning, json_schema_extra={"allowed": allowed}, **limits)


Item, Schema = TypeVar("Item"), TypeVar("Schema", bound=BaseModel)
Integer, Number = Annotated[int, BeforeValidator(_read)], Annotated[float, BeforeValidator(_read)]
List = Annotated[tuple[Item, ...], BeforeValidator(_read), Field(min_length=1, max_length=100)]
Distinct = Annotated[List[Item], AfterValidator(_distinct)]
Path = Annotated[str | None, BeforeValidator(lambda value: None if value in ("", "None", "null") else value)]
Seed = Annotated[Integer, Field(ge=0, lt=2**32)]
Sizes = List[Annotated[Integer, Field(ge=1, le=10_000)]]
Rate, Alpha = Annotated[Number, Field(ge=0, lt=1)], Annotated[Number, Field(ge=0)]
Fraction = Annotated[Number, Field(gt=0, le=1)]
Model = Literal["ambos", "simple", "regularizado"]

POSITIVE = "un entero entre 1 y 100000"
LIST = "una lista de 1 a 100"
SIZES, NETWORKS = f"{LIST} enteros entre 1 y 10000", f"{LIST} redes distintas, cada una {LIST} enteros entre 1 y 10000"
HiddenSizes = Annotated[Sizes, _parameter("unidades de cada capa oculta, de la entrada a la salida", SIZES)]
Candidates = Annotated[Distinct[Sizes], _parameter("redes que se prueban: las unidades de cada capa oculta", NETWORKS)]


class Common(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    data_path: Path = _parameter("fichero .npz con otros datos; None es MNIST", "un texto con una ruta, o None")
    seeds: Distinct[Seed] = _parameter("semillas, una por corrida", f"{LIST} enteros distintos entre 0 y 4294967295")
    epochs: Integer = _parameter("épocas de cada entrenamiento", "un entero entre 1 y 1000", ge=1, le=1000)
    batch_size: Integer = _parameter("imágenes por lote", "un entero entre 1 y 1000000", ge=1, le=1_000_000)
    verbose: bool = _parameter("si se muestra una barra de progreso", "True o False", strict=False)


class Regularised(Common):
    dropout: Rate = _parameter("tasa de dropout sobre la entrada", "un número mayor o igual que 0 y menor que 1")
    alpha_l1: Alpha = _parameter("factor de la penalización l1", "un número finito mayor o igual que 0")
    alpha_l2: Alpha = _parameter("factor de la penalización l2", "un número finito mayor o igual que 0")


class Thresholds(Common):
    loss_threshold: Number = _parameter("pérdida máxima", "un número finito mayor que 0", gt=0)
    accuracy_threshold: Fraction = _parameter("exactitud mínima", "un número mayor que 0 y menor o igual que 1")


class Q1(Regularised, Thresholds):
    model: Model = _parameter("modelos que se entrenan", "'ambos', 'simple' o 'regularizado'")
    hidden_sizes: Sizes = _parameter("unidades de cada capa oculta del modelo simple", SIZES)
    hidden_sizes_regularised: Sizes = _parameter("unidades de cada capa oculta del modelo regularizado", SIZES)


class Q2(Common):
    hidden_sizes: HiddenSizes
    n_bins: Integer = _parameter("intervalos del diagrama de calibración", "un entero entre 2 y 100", ge=2, le=100)


class Q3(Thresholds):
    hidden_sizes: HiddenSizes
    candidates: Candidates


class Studied(Common):
    n_trials: Integer = _parameter("ensayos que se añaden al estudio", "un entero entre 0 y 100000", ge=0, le=100_000)
    storage: Path = _parameter("almacén de otro estudio; None es el publicado, que no se toca", "un texto, o None")


class Q4(Regularised, Studied):
    hidden_sizes: HiddenSizes
    alpha_grid: Distinct[Alpha] = _parameter("factores que se prueban", f"{LIST} números finitos distintos en [0, ∞)")


class Q5(Regularised, Studied):
    candidates: Candidates
    epochs_best: Integer = _parameter(
        "épocas de los dos mejores ensayos del estudio", "un entero entre 1 y 1000", ge=1, le=1000
    )


class Search(BaseModel):
    """Opciones de ``python -m tarea4.search``, con sus valores por omisión."""

    model_config = Common.model_config

    study: Literal["q4", "q5-presupuesto", "q5-largo", "q5-libre"] = _option(
        "q4", "estudio que se sigue", "'q4', 'q5-presupuesto', 'q5-largo' o 'q5-libre'"
    )
    n_trials: Integer = _option(
        150, "ensayos terminados que debe llegar a tener, entre todos los procesos", POSITIVE, ge=1, le=100_000
    )
    timeout: Number | None = _option(
        None, "segundos tras los que no se empieza otro; sin ellos, no hay límite", "un número mayor que 0", gt=0
    )
    storage: str = _option(
        "", "fichero del diario o URL de una base de datos; sin él, estudios/ESTUDIO.log", "un texto"
    )
    seed: Seed | None = _option(None, "semilla del muestreador; sin ella, una distinta cada vez", "un entero desde 0")
    data_path: Path = _option(None, "fichero .npz con otros datos; sin él, MNIST", "un texto con una ruta")


def check_parameters(namespace: Mapping[str, object], schema: type[Schema]) -> Schema:
    """Comprueba los parámetros de un cuaderno y los convierte a su tipo.

    Parameters
    ----------
    namespace : mapping
        Los `globals()` del cuaderno. Un nombre público con un literal que `schema` no declara es un error, salvo que
        haya ya un resultado de esta función: la celda se corre otra vez, y esos nombres son de celdas posteriores.
    schema : type
        Uno de `Q1`, ..., `Q5`: los parámetros que el cuaderno declara.

    Returns
    -------
    Q1, ..., Q5
        Los parámetros, inmutables; las listas son tuplas.

    Raises
    ------
    ValueError
        Si falta un parámetro, sobra un nombre o un valor no se admite: una frase por cada uno.
    """
    declared, literals = schema.model_fields, bool | int | float | str | list | tuple | dict | None
    values = {name: namespace[name] for name in declared if name in namespace}
    if not any(isinstance(value, Common) for value in namespace.values()):
        public = {k: v for k, v in namespace.items() if not k.startswith("_") and k not in {"In", "Out"}}
        values |= {name: value for name, value in public.items() if isinstance(value, literals)}
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        names = dict.fromkeys(detail["loc"][0] for detail in error.errors())  # una frase por parámetro
        raise ValueError("\n".join(_complaint(name, values, declared) for name in names)) from None


def _complaint(name, values, declared):
    if name not in declared:
        near = difflib.get_close_matches(name.lower(), declared, n=1)
        hint = f"¿quisiste decir '{near[0]}'?" if near else f"se admiten {', '.join(declared)}."
        return f"parámetro desconocido '{name}': {hint}"
    received = f"se recibió {values[name]!r:.200}" if name in values else "no se recibió ningún valor"
    return f"{name}: {received} y se admite {declared[name].json_schema_extra['allowed']}."


def parameter_table(parameters: Common) -> str:
    """Tabla de Markdown con el valor y el significado de cada parámetro."""
    rows = ["| Parámetro | Valor | Significado |", "| --- | --- | --- |"]
    # en los textos, todo signo va como entidad: ningún valor llega a la página como HTML, Markdown o fórmula
    for name, value in parameters.model_dump(mode="json").items():
        shown = re.sub(r"[^\w ]|_", lambda c: f"&#{ord(c[0])};", value) if isinstance(value, str) else repr(value)
        rows.append(f"| `{name}` | <code>{shown}</code> | {type(parameters).model_fields[name].description} |")
    return "\n".join(rows)
