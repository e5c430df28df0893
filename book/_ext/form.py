"""Lo que necesita «Prepara una repetición»: los parámetros de cada capítulo y las repeticiones hechas, como datos."""

import ast
import json
from pathlib import Path
from typing import Literal, get_args, get_origin

import nbformat
import papermill
from pydantic.fields import FieldInfo
from reruns import doubts, recorded, twin

from tarea4.report import q1, q2, q3, q4, q5
from tarea4.report.parameters import LIMITS, MAX_WEIGHTS, Common, Studied, allowed, check_parameters

SCHEMAS = {"q1": q1.Parameters, "q2": q2.Parameters, "q3": q3.Parameters, "q4": q4.Parameters, "q5": q5.Parameters}
CHECKS = {"_distinct": {"distinct": True}, "_light": {"max_weights": MAX_WEIGHTS}}
GROUPS = ["De la pregunta", "Datos y entrenamiento", "Otras opciones"]
LAST = {"verbose", *Studied.model_fields.keys() - Common.model_fields.keys()}


def kind(field: FieldInfo) -> dict:
    """El tipo de un parámetro y sus límites, los mismos de los que sale la frase de `allowed`."""
    origin, options = get_origin(field.annotation) or field.annotation, get_args(field.annotation)
    if type(None) in options:
        return kind(FieldInfo.from_annotation(options[0])) | {"optional": True}
    if origin in (Literal, bool):
        return {"options": options or (False, True)}
    found = {"items": kind(FieldInfo.from_annotation(options[0]))} if origin is tuple else {"type": origin.__name__}
    for each in field.metadata:
        found |= {name: getattr(each, name) for name in LIMITS if hasattr(each, name)}
        found |= CHECKS.get(getattr(getattr(each, "func", None), "__name__", ""), {})
    return found


def group(name: str) -> str:
    """El grupo de un parámetro: primero, los que solo son de esa pregunta."""
    return GROUPS[2 if name in LAST else 1 if name in Common.model_fields else 0]


def chapter(path: Path) -> dict:
    """El título de un capítulo y sus parámetros, en el orden del formulario, con lo publicado en su primera celda."""
    schema, heading = SCHEMAS[path.stem], nbformat.read(path, as_version=4).cells[0].source.partition("\n")[0]
    cell = {name: ast.literal_eval(each["default"]) for name, each in papermill.inspect_notebook(str(path)).items()}
    published = check_parameters(cell, schema).model_dump(mode="json")
    parameters = {}
    for name in sorted(cell, key=lambda name: GROUPS.index(group(name))):
        field, value = schema.model_fields[name], str(published[name])
        shown = {"group": group(name), "meaning": field.description, "published": value, "allowed": allowed(field)}
        parameters[name] = shown | {"kind": kind(field)}
    return {"title": heading.lstrip("# "), "parameters": parameters}


def run(path: Path) -> dict:
    """El nombre de una repetición, su capítulo y lo que anotó que pedía; nada, si hay por qué dudar de ella."""
    name, ours = recorded(path)
    believed = not doubts(path, ours, twin(path, name))
    return {"name": path.stem, "chapter": name, "parameters": ours["parameters"] if believed else {}}


def script(book: Path) -> str:
    """El texto de `esquemas.js`."""
    chapters = {name: chapter(book / f"{name}.ipynb") for name in SCHEMAS}
    runs = [run(path) for path in sorted((book / "corridas").glob("*.ipynb"))]
    lines = {"CHAPTERS": chapters, "RUNS": runs}
    return "".join(f"const {name} = {json.dumps(value, ensure_ascii=False)};\n" for name, value in lines.items())


def write(app, exception):
    """Deja los datos junto al formulario, en el libro ya construido."""
    if not exception and app.builder.format == "html":
        Path(app.outdir, "formulario", "esquemas.js").write_text(script(Path(app.srcdir)), encoding="utf-8")


def setup(app):
    """Registra la extensión."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
