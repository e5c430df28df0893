"""Cortes, discos llenos o de solo lectura y procesos que se estorban: lo publicado queda intacto y se dice por qué."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import execute
import lock
import nbformat
import pages
import psutil
import pytest
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[2]
EXECUTE = [sys.executable, ROOT / "tools" / "execute.py"]
PAPERMILL = [sys.executable, "-m", "papermill", "--no-progress-bar"]
# Avisa de que ha empezado y no termina, salvo que alguien deje el archivo «corto».
BUSY = """
import os, pathlib, time
pathlib.Path("pid").write_text(str(os.getpid()))
pathlib.Path("empezada").touch()
time.sleep(0 if pathlib.Path("corto").exists() else 600)
"""


@pytest.fixture
def notebook(tmp_path):
    """Devuelve una función que escribe, en una carpeta propia, un cuaderno con las celdas que se le dan."""

    def write(*sources):
        cells = [nbformat.v4.new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        path = tmp_path / "book" / "q1.ipynb"
        path.parent.mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
        return path

    return write


def start(command, folder):
    """Lanza una orden en `folder` y espera a que el cuaderno que ejecuta esté en su celda larga."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (folder / "empezada").exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process


def kill(process):
    """Lo mata como lo haría la falta de memoria: sin darle ocasión de recoger nada."""
    process.kill()
    assert process.wait() == -signal.SIGKILL


def test_killed_while_running_notebooks(notebook):
    """Un execute.py muerto deja el cuaderno intacto; mientras vive, otro se niega; el siguiente empieza de cero."""
    path = notebook("print('antes')", BUSY)
    before = path.read_bytes()
    process = start([*EXECUTE, path.name], path.parent)
    second = subprocess.run(
        [*EXECUTE, path.name], cwd=path.parent, capture_output=True, text=True, check=False, timeout=120
    )
    assert second.returncode == 1
    assert second.stderr.startswith("q1.ipynb está en una carpeta cuyos cuadernos ejecuta ya otro proceso")
    kill(process)
    assert path.read_bytes() == before
    kernel = int((path.parent / "pid").read_text())
    while kernel in [p.pid for p in psutil.process_iter(["status"]) if p.info["status"] != psutil.STATUS_ZOMBIE]:
        time.sleep(0.1)  # el núcleo mira cada segundo si vive quien lo lanzó
    (path.parent / "corto").touch()
    assert execute.main([path]) == 0
    assert pages.executed(path.name, path.read_text(encoding="utf-8")).cells[0].outputs[0].text == "antes\n"
    assert {left.name for left in path.parent.iterdir()} == {"q1.ipynb", "pid", "empezada", "corto"}


def test_killed_while_repeating_a_notebook(notebook):
    """Un papermill muerto deja intacto el publicado y una corrida a medias, que el libro rechaza por su nombre."""
    path = notebook("print('antes')", BUSY)
    before = path.read_bytes()
    kill(start([*PAPERMILL, "q1.ipynb", "corrida.ipynb"], path.parent))
    assert path.read_bytes() == before
    rerun = path.with_name("corrida.ipynb")
    with pytest.raises(ExtensionError, match=r"corrida\.ipynb no se ejecutó desde su celda de código 2"):
        pages.executed(rerun.name, rerun.read_text(encoding="utf-8"))
    (path.parent / "corto").touch()
    assert subprocess.run([*PAPERMILL, "q1.ipynb", rerun.name], cwd=path.parent, check=False).returncode == 0
    assert pages.executed(rerun.name, rerun.read_text(encoding="utf-8"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="este sistema no tiene /dev/full")
def test_no_room_for_the_result(notebook, capsys):
    """Si el resultado no cabe al guardarlo, se dice en una frase, y el cuaderno queda como estaba."""
    path = notebook("1 + 1")
    before = path.read_bytes()
    path.with_suffix(".ipynb.tmp").symlink_to("/dev/full")
    assert execute.main([path]) == 1
    said = capsys.readouterr().err.splitlines()[-2:]
    assert said == [f"{path} no cabe: el disco está lleno.", "El cuaderno guardado queda como estaba."]
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def on_a_disk(notebook, tmp_path):
    """Devuelve una función que ejecuta un cuaderno en un disco de prueba: su código, lo que dice y cómo lo deja."""
    private = ["unshare", "--map-root-user", "--mount", "sh", "-c"]  # el disco solo lo ve esa orden, y se va con ella
    try:
        subprocess.run([*private, f"mount -t tmpfs none '{tmp_path}'"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"este sistema no deja montar un disco de prueba con unshare: {error}")

    def run(source, prepare):
        path = notebook(source)
        before, disk = path.read_bytes(), tmp_path / "disco"
        disk.mkdir()
        script = f'mount -t tmpfs -o size=256k none disco && cp "{path}" disco && {prepare} && "$@"; code=$?; '
        script += f'cmp "{path}" disco/q1.ipynb && ls disco >&2 && exit $code'
        command = [*private, script, "sh", *EXECUTE, "disco/q1.ipynb"]
        process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert path.read_bytes() == before
        return process.returncode, process.stderr.splitlines()

    return run


@pytest.mark.parametrize(
    ("source", "prepare", "cause"),
    [
        ("print('x' * 1_000_000)", "true", "no cabe: el disco está lleno."),
        ("open('../huella', 'w').close()", "mount -o remount,ro disco", "está donde no se puede escribir."),
    ],
    ids=["lleno", "de solo lectura"],
)
def test_disk(on_a_disk, tmp_path, source, prepare, cause):
    """En un disco lleno, o de solo lectura, se dice en una frase, y el cuaderno queda como estaba, sin restos."""
    code, said = on_a_disk(source, prepare)
    assert code == 1, said
    assert said[-3:] == [f"disco/q1.ipynb {cause}", "El cuaderno guardado queda como estaba.", "q1.ipynb"]
    assert not (tmp_path / "huella").exists()  # de solo lectura, se sabe antes de ejecutar nada


def test_one_make_at_a_time(tmp_path):
    """Un segundo make en la misma carpeta se niega, con una frase, y puede en cuanto muere el primero."""
    for name in ("Makefile", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    free = {name: value for name, value in os.environ.items() if name not in {"CERROJO", "MAKEFLAGS", "MAKELEVEL"}}
    make = ["make", f"PYTHON={sys.executable}", "ayuda"]

    def again():
        return subprocess.run(make, cwd=tmp_path, env=free, capture_output=True, text=True, check=False)

    assert again().returncode == 0
    wrapper = [sys.executable, ROOT / "tools" / "lock.py"]
    program = [sys.executable, "-c", "import time; print('en marcha', flush=True); time.sleep(600)"]
    first = subprocess.Popen([*wrapper, *program], cwd=tmp_path, stdout=subprocess.PIPE)
    assert first.stdout.readline() == b"en marcha\n"
    refused = again()
    assert refused.returncode != 0
    assert refused.stderr.startswith("Ya hay otro make en esta carpeta")
    with pytest.raises(BlockingIOError), lock.hold(tmp_path):
        pass
    kill(first)
    assert again().returncode == 0
