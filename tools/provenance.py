"""De qué código y estudios, con qué versiones y en qué máquina salieron los resultados de un cuaderno."""

import hashlib
import importlib.metadata
import json
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

import joblib

from tarea4.engine import code

STUDIES = Path(__file__).parents[1] / "estudios"
PACKAGES = ("keras", "tensorflow", "numpy")


def state(notebook) -> str:
    """SHA-256 de lo que decide los resultados de un cuaderno: sus celdas, el código de que dependen y los estudios."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    used = code.reached("\n".join(cells))
    reads_studies = any(name.startswith("tarea4.search") for name in used)
    paths = sorted(path for path in STUDIES.rglob("*") if path.suffix in (".log", ".json")) if reads_studies else []
    studies = {path.relative_to(STUDIES).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return hashlib.sha256(json.dumps([cells, sorted(used.values()), studies]).encode()).hexdigest()


def record(state: str, seconds: float) -> dict:
    """Lo que se anota en un cuaderno recién ejecutado: nada que nombre a la máquina ni a quien lo ejecuta."""
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "state": state,
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
