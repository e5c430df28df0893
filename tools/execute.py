"""Ejecuta cuadernos en su sitio, de dos en dos: ``python tools/execute.py book/q1.ipynb ...``.

El cuaderno publicado solo se sustituye cuando todas sus celdas han terminado bien. Con la clave `tarea4` se anota en
sus metadatos de qué código y con qué versiones salió.
"""

import asyncio
import contextlib
import errno
import os
import sys
import time
from pathlib import Path

import lock
import nbformat
import provenance
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.reader import NotJSONError
from tqdm import tqdm


class Failure(Exception):
    """Un cuaderno no ha terminado bien, y por qué."""


AT_ONCE = 2  # mientras uno importa o dibuja, que no ocupa más de un núcleo, entrena el otro
FAILURES = (Failure, DeadKernelError, NotJSONError, nbformat.ValidationError, OSError)
CAUSES = {
    errno.ENOENT: "no existe.",
    errno.EWOULDBLOCK: "está en una carpeta cuyos cuadernos ejecuta ya otro proceso: espera a que termine.",
    errno.ENOSPC: "no cabe: el disco está lleno.",
    errno.EDQUOT: "no cabe: la cuota de disco está agotada.",
} | dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "está donde no se puede escribir.")


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


async def run(path, bar, environment):
    """Ejecuta el cuaderno `path` en su carpeta y lo sustituye por el resultado; cada celda avanza la barra."""
    start = time.perf_counter()
    unfinished = path.with_suffix(".ipynb.tmp")
    unfinished.touch()  # si aquí no se puede escribir, mejor saberlo antes de entrenar
    try:
        notebook = nbformat.read(path, as_version=4)
        state = provenance.state(notebook)  # el de antes: lo que se edite mientras corre no lo ha ejecutado
        bar.total += len(notebook.cells)
        client = NotebookClient(
            notebook, timeout=None, kernel_name="python3", record_timing=False,
            resources={"metadata": {"path": str(path.parent)}},
            extra_arguments=["--IPKernelApp.log_level=ERROR"],  # los avisos del núcleo parten la barra
            on_cell_complete=lambda **_: bar.update(),
        )  # fmt: skip
        await client.async_execute(env=environment)
        notebook.metadata["tarea4"] = provenance.record(state, time.perf_counter() - start)
        nbformat.write(clean(notebook), unfinished)
        unfinished.replace(path)
    except CellExecutionError as error:
        has_failed = [any(out.output_type == "error" for out in cell.get("outputs", [])) for cell in notebook.cells]
        raise Failure(f"falló en la celda {has_failed.index(True) + 1}: {error.ename}: {error.evalue}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def explain(error):
    """La causa de un fallo, en español."""
    match error:
        case Failure():
            return str(error)
        case DeadKernelError():
            return f"se quedó sin núcleo de Python, quizá por falta de memoria: {error}"
        case OSError():
            return CAUSES.get(error.errno, f"no se pudo leer o escribir: {error}")
    return "no es un cuaderno de Jupyter."


async def run_all(paths):
    """Ejecuta los cuadernos, `AT_ONCE` a la vez y en ese orden; si uno falla, los demás se cortan."""
    turn = asyncio.Semaphore(AT_ONCE)
    # Dos cuadernos que reparten cada operación entre los núcleos se estorban; a uno solo le conviene.
    environment = ({"TF_NUM_INTRAOP_THREADS": "1"} if len(paths) > 1 else {}) | os.environ

    async def one(path):
        async with turn:
            tqdm.write(f"{path}: en ejecución")
            start = time.perf_counter()
            try:
                await run(path, bar, environment)
            except FAILURES as error:
                raise Failure(f"{path} {explain(error)}") from error
            tqdm.write(f"{path}: {time.perf_counter() - start:.0f} s")

    with tqdm(total=0, desc="celdas", disable=None) as bar:
        async with asyncio.TaskGroup() as group:
            for path in paths:
                group.create_task(one(path))


def main(paths):
    """Ejecuta `paths` y devuelve 1, con una frase, si uno falla."""
    paths = list(map(Path, paths))
    with contextlib.ExitStack() as locks:
        try:
            for folder, path in {path.parent: path for path in reversed(paths)}.items():
                try:
                    locks.enter_context(lock.hold(folder))
                except OSError as error:
                    raise Failure(f"{path} {explain(error)}") from error
            asyncio.run(run_all(paths))
        except* Failure as failures:
            print(f"{failures.exceptions[0]}\nEl cuaderno guardado queda como estaba.", file=sys.stderr)
        else:
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
