"""Prueba `tarea4.search` sobre un servidor de PostgreSQL propio: procesos que comparten el trabajo, y uno que muere."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from test_search import check_shared_study, fill, finished, freeze, images, images_path, start  # noqa: F401

from tarea4.search.__main__ import main
from tarea4.search.spaces import GRID
from tarea4.search.study import open_study


@pytest.fixture(scope="module")
def server():
    """La dirección, sin base de datos, de un servidor que solo escucha aquí y desaparece al terminar."""
    if not (programs := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))):
        pytest.skip("no hay PostgreSQL: instálalo (en Debian, apt-get install postgresql)")
    programs = programs[-1].parent
    folder = Path(tempfile.mkdtemp())  # las carpetas de pytest son de quien lo corre, y PostgreSQL no admite a root
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres", "postgres")
    initdb = [programs / "initdb", "-D", folder / "datos", "-U", "tarea4", "-A", "trust", "-E", "UTF8", "--locale=C"]
    subprocess.run([*initdb, "--no-sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL, **user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
    settings = [text for name, value in options.items() for text in ("-c", f"{name}={value}")]
    with open(folder / "registro", "wb") as log:
        command = [programs / "postgres", "-D", folder / "datos", *settings]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **user)
    address = f"tarea4@127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(psycopg.OperationalError), connect(address):
                break
            time.sleep(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGINT)  # cierra las conexiones y para
        process.wait(30)
        shutil.rmtree(folder)


def connect(address, database="postgres"):
    return psycopg.connect(f"postgresql://{address}/{database}", autocommit=True)


@pytest.fixture
def url(server, request):
    """La dirección de una base de datos recién creada para la prueba."""
    with connect(server) as connection:
        connection.execute(f"CREATE DATABASE {request.node.name}")
    return f"postgresql+psycopg://{server}/{request.node.name}"


def test_killed_worker_is_replaced(url, server, request, start, images, images_path, capsys):  # noqa: F811
    """De dos procesos, uno muere con `kill -9` en mitad de un ensayo: el otro lo repite y acaba los demás."""
    n_trials = len(GRID) + 6
    study = open_study("q4", url, images)
    fill(study, images)
    killed = start(url, n_trials)
    lost = freeze(killed, study)
    options = ["--storage", url, "--data-path", str(images_path), "--n-trials"]
    main([*options, str(len(GRID) + 1)])  # el que está en marcha sigue siendo de su proceso mientras late
    assert capsys.readouterr().out.startswith(f"q4: {len(GRID)} ensayos terminados;")
    other = start(url, n_trials)
    freeze(other, study)
    killed.kill()
    killed.wait()
    with connect(server, request.node.name) as connection:  # como si hubiera pasado una hora sin latido
        age = "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '1 hour' WHERE trial_id = %s"
        assert connection.execute(age, [lost._trial_id]).rowcount == 1
    other.send_signal(signal.SIGCONT)
    assert other.wait(120) == 0, other.stderr.read()
    check_shared_study(study, n_trials, lost)
    before = finished(study)
    main([*options, str(n_trials)])
    assert capsys.readouterr().out.startswith(f"q4: {n_trials} ensayos terminados;")
    assert finished(study) == before


def test_workers_can_start_at_once(url):
    """Muchos procesos que estrenan a la vez una base de datos vacía la abren todos."""
    together = Barrier(6)

    def open_together(_):
        together.wait()
        return open_study("q4", url).study_name

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(open_together, range(6))) == ["q4"] * 6
