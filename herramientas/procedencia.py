"""De qué código y estudios, con qué versiones y en qué máquina salieron los resultados de un cuaderno."""

import ast
import hashlib
import importlib.metadata
import io
import json
import platform
import re
import tokenize
from datetime import UTC, datetime
from pathlib import Path

import joblib

ROOT = Path(__file__).parents[1]
PACKAGES = ("keras", "tensorflow", "numpy")
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


def sources(root: Path = ROOT) -> dict[str, str]:
    """Lo que decide los resultados además del cuaderno, por fichero: el código de `tarea4` y los estudios guardados."""
    code = {path: essence(path.read_text(encoding="utf-8")) for path in root.glob("tarea4/**/*.py")}
    studies = [path for suffix in ("log", "json") for path in root.glob(f"estudios/**/*.{suffix}")]
    texts = code | {path: path.read_text(encoding="utf-8") for path in studies}
    return {path.relative_to(root).as_posix(): texts[path] for path in sorted(texts)}


def state(notebook, sources: dict[str, str]) -> str:
    """SHA-256 de lo que decide los resultados de un cuaderno: sus celdas de código y lo que usa de `sources`."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    reads_studies = any("tarea4.studies" in cell for cell in cells)
    used = {path: text for path, text in sources.items() if reads_studies or not path.startswith("estudios/")}
    return hashlib.sha256(json.dumps([cells, used]).encode()).hexdigest()


def record(notebook, sources: dict[str, str], seconds: float) -> dict:
    """Lo que se anota en un cuaderno recién ejecutado: nada que nombre a la máquina ni a quien lo ejecuta."""
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "state": state(notebook, sources),
        "versions": {"python": platform.python_version()} | versions,
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
    }


def machine() -> str:
    """El procesador y cuántos núcleos tiene."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return f"{found[1] if found else platform.processor() or platform.machine()}, {joblib.cpu_count()} núcleos"
