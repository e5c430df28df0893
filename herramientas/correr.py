"""Ejecuta cuadernos en su sitio: ``python herramientas/correr.py book/q1.ipynb ...``.

El cuaderno publicado solo se sustituye cuando todas sus celdas han terminado bien. De los metadatos se quitan las rutas
y los tiempos que papermill anota por celda, y se añade, con la clave `tarea4`, de qué código y con qué versiones salió.
"""

import contextlib
import errno
import sys
import time
from pathlib import Path

import cerrojo
import nbformat
import papermill
import procedencia
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat.reader import NotJSONError
from papermill.exceptions import PapermillExecutionError

FAILURES = (
    PapermillExecutionError, CellControlSignal, DeadKernelError, NotJSONError, nbformat.ValidationError, OSError
)  # fmt: skip
CAUSES = {
    errno.ENOENT: "no existe.",
    errno.EWOULDBLOCK: "está en una carpeta cuyos cuadernos ejecuta ya otro proceso: espera a que termine.",
    errno.ENOSPC: "no cabe: el disco está lleno.",
    errno.EDQUOT: "no cabe: la cuota de disco está agotada.",
} | dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "está donde no se puede escribir.")


def clean(notebook):
    """Quita los metadatos que papermill cambia de una ejecución o de una máquina a otra."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
    return notebook


def run(path):
    """Ejecuta el cuaderno `path` en su carpeta y lo sustituye por el resultado."""
    start, sources = time.perf_counter(), procedencia.sources()
    quiet = ["--IPKernelApp.log_level=ERROR"]  # los avisos del núcleo parten la barra de progreso
    unfinished = path.with_suffix(".ipynb.tmp")
    unfinished.touch()  # si aquí no se puede escribir, mejor saberlo antes de entrenar
    try:
        notebook = papermill.execute_notebook(path, None, cwd=path.parent, kernel_name="python3", extra_arguments=quiet)
        notebook.metadata["tarea4"] = procedencia.record(notebook, sources, time.perf_counter() - start)
        nbformat.write(clean(notebook), unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def explain(error):
    """La causa de un fallo, en español."""
    match error:
        case PapermillExecutionError():
            return f"falló en la celda {error.cell_index + 1}, In [{error.exec_count}]: {error.ename}: {error.evalue}"
        case CellControlSignal() | DeadKernelError():
            return f"se quedó sin núcleo de Python, quizá por falta de memoria: {error}"
        case OSError():
            return CAUSES.get(error.errno, f"no se pudo leer o escribir: {error}")
    return "no es un cuaderno de Jupyter."


def main(paths):
    """Ejecuta `paths` por orden y devuelve 1, con una frase, en el primero que falle."""
    folders = set()
    with contextlib.ExitStack() as locks:
        for path in map(Path, paths):
            print(f"{path}: en ejecución", flush=True)
            start = time.perf_counter()
            try:
                if path.parent not in folders:
                    locks.enter_context(cerrojo.hold(path.parent))
                    folders.add(path.parent)
                run(path)
            except FAILURES as error:
                print(f"{path} {explain(error)}\nEl cuaderno guardado queda como estaba.", file=sys.stderr)
                return 1
            print(f"{path}: {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
