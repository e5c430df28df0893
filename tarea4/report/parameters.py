"""Los parámetros de los cuadernos: sus tipos, con sus límites; la frase que sale de cada límite; y su comprobación."""

import ast
import difflib
import re
import symtable
from contextlib import suppress
from typing import Annotated, Literal, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

MAX_WEIGHTS = 10_000_000  # con más, varias semillas no caben en la memoria de un portátil


def _read(value):  # papermill deja como texto las listas de `-p` y los números como 1e-5 de `-y`
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
    if sum(a * b for a, b in zip([784, *sizes], sizes, strict=False)) > MAX_WEIGHTS:
        raise ValueError
    return sizes


SAID = {_distinct: "sin repetir", _light: f"que con imágenes de 784 píxeles no pasen de {MAX_WEIGHTS} pesos"}
NOUNS = {int: ("un entero", "enteros"), float: ("un número", "números"), str: ("un texto",), bool: ("True o False",)}
NOT_OURS = {"In", "Out", "PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH"}  # de IPython y de `--inject-paths`
LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length")
Item, Schema = TypeVar("Item"), TypeVar("Schema", bound=BaseModel)
Integer, Number = Annotated[int, BeforeValidator(_read)], Annotated[float, BeforeValidator(_read)]
List = Annotated[tuple[Item, ...], BeforeValidator(_read), Field(min_length=1, max_length=100)]
Distinct = Annotated[List[Item], AfterValidator(_distinct)]
Path = Annotated[str | None, BeforeValidator(lambda value: None if value in ("", "None", "null") else value)]
Seed, Epochs = Annotated[Integer, Field(ge=0, le=2**32 - 1)], Annotated[Integer, Field(ge=1, le=1000)]
Sizes = Annotated[List[Annotated[Integer, Field(ge=1, le=10_000)]], AfterValidator(_light)]
Rate, Alpha = Annotated[Number, Field(ge=0, lt=1)], Annotated[Number, Field(ge=0)]
Positive, Networks = Annotated[Number, Field(gt=0)], Distinct[Sizes]


def meaning(text: str, *default, **limits) -> FieldInfo:
    """Un parámetro con su significado, que es también el comentario de su línea en el cuaderno."""
    return Field(*default, description=text, **limits)


class Common(BaseModel):  # los cinco cuadernos
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    data_path: Path = meaning("archivo o carpeta con otros datos; None es MNIST")
    seeds: Distinct[Seed] = meaning("semillas: cada red se entrena una vez con cada una")
    epochs: Epochs = meaning("épocas de cada entrenamiento")
    batch_size: Integer = meaning("imágenes por lote", ge=1, le=1_000_000)
    verbose: bool = meaning("si se muestra una barra de progreso", strict=False)

    @property
    def options(self) -> dict[str, int | bool]:
        return self.model_dump(include={"epochs", "batch_size", "verbose"})


class Regularised(Common):  # los capítulos que regularizan
    dropout: Rate = meaning("tasa de dropout sobre la entrada")
    alpha_l1: Alpha = meaning("factor de la penalización l1")
    alpha_l2: Alpha = meaning("factor de la penalización l2")


class Thresholds(Common):  # los que miran los umbrales de 2020
    loss_threshold: Positive = meaning("pérdida máxima")
    accuracy_threshold: Number = meaning("exactitud mínima", gt=0, le=1)


class Studied(Common):  # los que leen estudios
    n_trials: Integer = meaning("ensayos que se añaden al estudio publicado, en una copia", ge=0, le=100_000)
    storage: Path = meaning("almacén de otro estudio, archivo o URL; None es el publicado, que no se toca")


def check_parameters(namespace: dict[str, object], schema: type[Schema]) -> Schema:
    """Los parámetros de un cuaderno, de sus `globals()`, comprobados e inmutables, o un ValueError con lo que falla."""
    declared, literals = schema.model_fields, bool | int | float | str | list | tuple | dict | None
    others = NOT_OURS | _computed(namespace.get("In", ()))
    public = [k for k, v in namespace.items() if isinstance(v, literals) and not k.startswith("_") and k not in others]
    values = {name: namespace[name] for name in (*declared, *public) if name in namespace}
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        names = dict.fromkeys(detail["loc"][0] for detail in error.errors())  # una frase por parámetro
        raise ValueError("\n".join(_complaint(name, values, declared) for name in names)) from None


def _computed(cells: list[str]) -> set[str]:
    # Los nombres que las celdas ejecutadas no reciben como constante: al repetir una celda, no son parámetros.
    names = set()
    for cell in cells:
        with suppress(SyntaxError):  # una orden de IPython
            for line in ast.parse(cell).body:
                value = isinstance(line, ast.Assign | ast.AnnAssign) and line.value
                if not value or any(isinstance(node, ast.Name | ast.Call) for node in ast.walk(value)):
                    symbols = symtable.symtable(ast.unparse(line), "", "exec").get_symbols()
                    names |= {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    return names


def _complaint(name, values, declared):
    if name not in declared:
        near = difflib.get_close_matches(name.lower(), declared, n=1)
        hint = f"¿quisiste decir '{near[0]}'?" if near else f"se admiten {', '.join(declared)}."
        return f"parámetro desconocido '{name}': {hint}"
    received = f"se recibió {values[name]!r:.200}" if name in values else "no se recibió ningún valor"
    return f"{name}: {received} y se admite {allowed(declared[name])}."


def allowed(field: FieldInfo, *, plural: bool = False) -> str:
    """Qué valores admite un parámetro, a partir de su tipo: «un entero entre 1 y 1000»."""
    kind, options = get_origin(field.annotation) or field.annotation, get_args(field.annotation)
    limits = {name: getattr(limit, name) for limit in field.metadata for name in LIMITS if hasattr(limit, name)}
    if type(None) in options:
        return f"{allowed(FieldInfo.from_annotation(options[0]))}, o None"
    if kind is Literal:
        return f"{', '.join(map(repr, options[:-1]))} o {options[-1]!r}"
    if kind is tuple:
        besides = "".join(f", {SAID[each.func]}" for each in field.metadata if getattr(each, "func", None) in SAID)
        noun, items = "listas" if plural else "una lista", allowed(FieldInfo.from_annotation(options[0]), plural=True)
        return f"{noun} de {limits['min_length']} a {limits['max_length']} {items}{besides}"
    low, high, noun = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt")), NOUNS[kind][plural]
    if high is None and low is not None:
        reach = f"de {low} en adelante" if "ge" in limits else f"por encima de {low}"
        return f"{noun} {reach}, sin el infinito"
    without = "".join(f", sin el {limits[end]}" for end in ("gt", "lt") if end in limits)
    return noun if low is None else f"{noun} entre {low} y {high}{without}"


def parameter_table(parameters: Common) -> str:
    rows = ["| Parámetro | Valor | Significado |", "| --- | --- | --- |"]
    # en los textos, todo signo va como entidad: ningún valor llega a la página como HTML, Markdown o fórmula
    for name, value in parameters.model_dump(mode="json").items():
        shown = re.sub(r"[^\w ]|_", lambda c: f"&#{ord(c[0])};", value) if isinstance(value, str) else repr(value)
        rows.append(f"| `{name}` | <code>{shown}</code> | {type(parameters).model_fields[name].description} |")
    return "\n".join(rows)
