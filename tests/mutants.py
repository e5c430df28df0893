"""Doce programas equivocados que nbval, solo, debe notar: ``python tests/mutants.py`` dice qué celda, y con qué frase.

Cada uno es una copia del proyecto con un cambio en lo que los cuadernos usan; no es una prueba de `make test` porque
ejecuta doce cuadernos. Termina con 1 si alguno pasa.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ("book", "tarea4", "tests", "tools", "estudios", "pyproject.toml")
TABLES, EVALUATION = "tarea4/report/tables.py", "tarea4/evaluation.py"
EACH_RUN = "for name, runs in runs_by_name.items()\n        for run in "
MUTANTS = {  # cuaderno, archivo, lo que dice y lo que diría
    "matriz traspuesta": ("q1", EVALUATION, "n_classes * y + y_pred", "n_classes * y_pred + y"),
    "filas de la matriz al revés": ("q1", TABLES, "pd.DataFrame(cm, ", "pd.DataFrame(cm[::-1], "),
    "curva de otro modelo": ("q1", TABLES, "by_epoch(runs, prefix + metric)",
        "by_epoch([*runs_by_name.values()][-1], prefix + metric)"),
    "validación dibujada como entrenamiento": ("q1", TABLES, "by_epoch(runs, prefix + metric)",
        'by_epoch(runs, "val_" + metric)'),
    "franja de otras semillas": ("q1", TABLES, "getattr(table, kind)",
        "getattr(table.iloc[:, :2 if end else None], kind)"),
    "exactitud como fracción": ("q1", TABLES, "agg(mean_and_spread, 2, 100)", "agg(mean_and_spread, 2, 1)"),
    "columnas de una tabla cambiadas": ("q1", TABLES, 'by_model[f"{prefix}loss"].agg', 'by_model["val_loss"].agg'),
    "una semilla menos": ("q1", EVALUATION, f"{EACH_RUN}runs\n", f"{EACH_RUN}runs[:-1]\n"),
    "época equivocada": ("q1", EVALUATION, "run.best(prefix + metric) for", "run.history[prefix + metric][-1] for"),
    "prueba y validación cambiadas": ("q1", EVALUATION, 'getattr(data, f"x_{split}")), getattr(data, f"y_{split}")',
        "data.x_val), data.y_val"),
    "la respuesta de otro modelo": ("q1", "tarea4/report/q1.py", '(name, other) if loss.outcome == "mejor"',
        '(other, name) if loss.outcome == "mejor"'),
    "una figura de otra ejecución": ("q1", "book/q1.ipynb", r'tables.curve_table(runs, \"loss\")',
        r'tables.curve_table({name: group[:3] for name, group in runs.items()}, \"loss\")'),
}  # fmt: skip


def mutate(folder: Path, file: str, old: str, new: str) -> None:
    """Cambia, en la copia, un texto que debe estar."""
    path = folder / file
    text = path.read_text(encoding="utf-8")
    if old not in text:
        sys.exit(f"{file}: ya no dice {old!r}; corrige este mutante.")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def failures(folder: Path, notebook: str) -> list[str]:
    """Lo que dice nbval de las celdas en las que falla."""
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider"]
    command.append(f"book/{notebook}.ipynb")
    environment = os.environ | {"PYTHONPATH": str(folder)}  # el núcleo del cuaderno importaría el paquete instalado
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", process.stdout)
    return re.findall(rf"^({notebook}\.ipynb.*|ERROR .*)$", plain, re.MULTILINE) if process.returncode else []


def main() -> int:
    """Prueba los mutantes, o los que se nombren, y dice cuáles pasan."""
    passed = []
    for name in sys.argv[1:] or MUTANTS:
        notebook, *change = MUTANTS[name]
        with tempfile.TemporaryDirectory() as folder:
            for kept in KEPT:
                copy = shutil.copytree if (ROOT / kept).is_dir() else shutil.copy
                copy(ROOT / kept, Path(folder, kept))
            mutate(Path(folder), *change)
            found = failures(Path(folder), notebook)
        print(f"{name}: {f'{found[0]} (y {len(found) - 1} más)' if found else 'PASA'}", flush=True)
        passed += [] if found else [name]
    return int(bool(passed))


if __name__ == "__main__":
    sys.exit(main())
