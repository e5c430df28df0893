"""Qué código decide un resultado: el de los módulos a los que se llega por importaciones, sin su prosa."""

import ast
import functools
import hashlib
import io
import json
import threading
import tokenize
from pathlib import Path

import tarea4

ROOT = Path(tarea4.__file__).parents[1]
IDENTIFIED = {"tarea4.data", "tarea4.reading"}  # lo que cargan ya lo dice `Dataset.digest`, venga de donde venga
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def essence(source: str) -> str:
    """El código sin comentarios, docstrings ni líneas en blanco: corregir su prosa no obliga a ejecutarlo otra vez.

    Recorta el texto, y no lo reescribe con `ast.unparse`, porque eso da otra cosa según la versión de Python.
    """
    lines = source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, DOCUMENTED)]
    docstrings = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    prose = {number for node in docstrings for number in range(node.lineno, node.end_lineno + 1)}
    return "\n".join(line.rstrip() for i, line in enumerate(lines, 1) if line.strip() and i not in prose)


def imported(source: str) -> set[str]:
    """Los módulos de `tarea4` que importa un código, también a través de la puerta del paquete."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found |= {home for name, home in tarea4.HOME.items() if f"tarea4.{name}" in found}
    return {name for name in found if name.startswith("tarea4.") and _path(name)}


def reached(source: str) -> dict[str, str]:
    """Los módulos de `tarea4` de los que depende un código, directamente o no: su nombre y su esencia."""
    found, pending = {}, imported(source)
    while pending:
        name = pending.pop()
        text = _path(name).read_text(encoding="utf-8")
        found[name] = essence(text)
        pending |= imported(text) - found.keys()
    return found


_PARSING = threading.Lock()  # en Python 3.11, dos hilos que analizan código a la vez se estorban


@functools.cache
def digest(source: str) -> str:
    """SHA-256, en hexadecimal, del código de `tarea4` que decide un entrenamiento, datos aparte, y no de su sitio."""
    with _PARSING:
        code = sorted(text for name, text in reached(source).items() if name not in IDENTIFIED)
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def _path(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.exists()), None)
