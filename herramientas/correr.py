"""Ejecuta cuadernos en su sitio: ``python herramientas/correr.py book/q1.ipynb ...``.

El cuaderno publicado solo se sustituye cuando todas sus celdas han terminado bien, y sin las rutas,
fechas y tiempos que papermill anota en los metadatos: dos ejecuciones iguales dejan el mismo fichero.
"""

import sys
import time
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellControlSignal, DeadKernelError
from papermill.exceptions import PapermillExecutionError


def clean(notebook):
    """Quita los metadatos que cambian de una ejecución o de una máquina a otra."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
    return notebook


def run(path):
    """Ejecuta el cuaderno ``path`` en su carpeta y lo sustituye por el resultado."""
    quiet = ["--IPKernelApp.log_level=ERROR"]  # los avisos del núcleo parten la barra de progreso
    notebook = papermill.execute_notebook(path, None, cwd=path.parent, kernel_name="python3", extra_arguments=quiet)
    unfinished = path.with_suffix(".ipynb.tmp")
    nbformat.write(clean(notebook), unfinished)
    unfinished.replace(path)


def main(paths):
    """Ejecuta ``paths`` por orden y devuelve 1, con una frase, en el primero que falle."""
    for path in map(Path, paths):
        print(f"{path}: en ejecución", flush=True)
        start = time.perf_counter()
        try:
            run(path)
        except PapermillExecutionError as error:
            reason = f"falló en la celda {error.cell_index + 1}, In [{error.exec_count}]: {error.ename}: {error.evalue}"
        except (CellControlSignal, DeadKernelError) as error:
            reason = f"se quedó sin núcleo de Python, quizá por falta de memoria: {error}"
        except OSError as error:
            reason = f"no se pudo leer o escribir: {error}"
        else:
            print(f"{path}: {time.perf_counter() - start:.0f} s", flush=True)
            continue
        print(f"{path} {reason}\nEl cuaderno guardado queda como estaba.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
