"""Un estudio entre procesos de verdad, en un diario o en PostgreSQL: mueren con `kill -9`, y nada se pierde."""

import contextlib
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

import few
import psutil
import psycopg
import pytest
from optuna.trial import TrialState
from test_run import all_params, finished, new

from tarea4.search.__main__ import main


@pytest.fixture
def start(images_path):
    """Empieza procesos que siguen un estudio, todos con la misma semilla, que es lo peor que puede pasar.

    No se parten de este, que ya usa TensorFlow, sino de uno que solo ha importado lo que la orden necesita. Lo que se
    prueba es el reparto, así que no entrenan, salvo con `really`: cada época es una espera.
    """
    context, processes = get_context("forkserver"), []
    context.set_forkserver_preload(["tarea4.search.__main__", "few"])

    def start(storage, n_trials, really=False):
        options = {"storage": storage, "data-path": images_path, "n-trials": n_trials, "seed": 0}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        processes.append(context.Process(target=main if really else few.pretend, args=(arguments,)))
        processes[-1].start()
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.join()


EPOCHS, N_TRIALS = 50, 8


def freeze(study, *processes, lock=None):
    """Detiene cada proceso en mitad de un ensayo, sin el cerrojo del diario en la mano, y devuelve los ensayos."""
    frozen = {}
    while len(frozen) < len(processes):
        for process in processes:
            if process not in frozen and in_flight(process, study):
                os.kill(process.pid, signal.SIGSTOP)
                while psutil.Process(process.pid).status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                    time.sleep(0.001)  # aún corre: podría tomar el cerrojo después de que se mire
                if (trial := in_flight(process, study)) and not (lock and lock.exists()):
                    frozen[process] = trial
                else:
                    os.kill(process.pid, signal.SIGCONT)
            assert process.exitcode is None
        time.sleep(0.005)
    return [frozen[process] for process in processes]


def in_flight(process, study):
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if trial.user_attrs.get("process", {}).get("pid") == process.pid and trial.intermediate_values:
            return trial
    return None


def check_shared_study(study, n_trials, lost=None):
    """Los terminados son los pedidos y no se repiten; el que se perdió se probó otra vez, y los de antes siguen."""
    trials = finished(study)
    assert len(trials) == n_trials
    assert len(set(all_params(trials))) == n_trials
    assert not study.get_trials(states=(TrialState.RUNNING,))
    for trial in trials:
        assert sorted(trial.intermediate_values) == list(range(1, EPOCHS + 1))
    if lost:
        assert study.trials[lost.number].state == TrialState.FAIL
        assert all_params(trials).count(all_params([lost])[0]) == 1


def test_command_ends_with_its_code(images_path, tmp_path):
    """En un proceso de verdad, que entrena, el código es 0 y se dice lo hecho; si no puede, es 1, y una sola frase."""
    options = [
        ("--study", "q4", "--data-path", images_path, "--storage", "q4.log", "--n-trials", "1"),
        ("--study", "q6"),
    ]
    both = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-m", "tarea4.search", *each], **both) for each in options]
    (done, _), (nothing, refused) = (process.communicate(timeout=300) for process in processes)
    assert [process.returncode for process in processes] == [0, 1]
    assert done.startswith("q4: 1 ensayo terminado; la menor pérdida de validación, ")
    assert nothing == ""
    assert refused.startswith("study: se recibió 'q6' y se admite 'q3'")
    assert refused.count("\n") == 1


def test_two_processes_share_a_journal_and_a_third_is_killed(start, images, images_path, tmp_path):
    """Tras un `kill -9` en mitad de un ensayo, los otros dos suman los pedidos, sin repetir ni perder ninguno."""
    path, n_trials = tmp_path / "q4.log", N_TRIALS
    study, lock = new("q4", path, images), path.with_name("q4.log.lock")
    killed, first, second = (start(path, n_trials, really=i == 2) for i in range(3))
    lost, *_ = freeze(study, killed, first, second, lock=lock)
    killed.kill()
    killed.join()
    before = finished(study)
    assert study.trials[lost.number].state == TrialState.RUNNING
    for process in (first, second):
        os.kill(process.pid, signal.SIGCONT)
    for process in (first, second):
        process.join(120)
        assert process.exitcode == 0
    check_shared_study(study, n_trials, lost)
    assert all(trial in finished(study) for trial in before)
    owners = {trial.user_attrs["process"]["pid"] for trial in finished(study)}
    assert {first.pid, second.pid} <= owners


# -------------------------------------------------------------------------------------------------- PostgreSQL


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
    yield f"postgresql+psycopg://{server}/{request.node.name}"
    with warnings.catch_warnings():  # las conexiones que Optuna no cierra, aquí y no en mitad de otra prueba
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_killed_worker_is_replaced(url, server, request, start, images, images_path, capsys):
    """De dos procesos, uno muere con `kill -9` en mitad de un ensayo: el otro lo repite y acaba los demás."""
    n_trials = N_TRIALS
    study = new("q4", url, images)
    killed, other = start(url, n_trials), start(url, n_trials)
    lost, _ = freeze(study, killed, other)
    options = ["--storage", url, "--data-path", str(images_path), "--n-trials"]
    done = len(finished(study))
    main([*options, str(done + 2)])  # los que están en marcha siguen siendo de sus procesos mientras laten
    assert capsys.readouterr().out.startswith(f"q4: {done} ensayo")
    killed.kill()
    killed.join()
    with connect(server, request.node.name) as connection:  # como si hubiera pasado una hora sin latido
        age = "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '1 hour' WHERE trial_id = %s"
        assert connection.execute(age, [lost._trial_id]).rowcount == 1
    os.kill(other.pid, signal.SIGCONT)
    other.join(120)
    assert other.exitcode == 0
    check_shared_study(study, n_trials, lost)
    before = finished(study)
    main([*options, str(n_trials)])
    assert capsys.readouterr().out.startswith(f"q4: {n_trials} ensayos terminados;")
    assert finished(study) == before


def test_workers_can_start_at_once(url, images):
    """Muchos procesos que estrenan a la vez una base de datos vacía la abren todos."""
    together = Barrier(6)

    def open_together(_):
        together.wait()
        return new("q4", url, images).study_name

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(open_together, range(6))) == ["q4"] * 6
