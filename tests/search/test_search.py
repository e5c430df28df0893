"""Prueba `tarea4.search` con ensayos reales: se cuentan, se guardan, se reanudan tras un corte y se reparten."""

import dataclasses
import math
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import numpy as np
import optuna
import psutil
import pytest
from optuna.trial import TrialState

from tarea4 import data
from tarea4.search import __main__ as cli
from tarea4.search import run as search
from tarea4.search.__main__ import main
from tarea4.search.reading import trials_table
from tarea4.search.recipes import BUDGET_2020
from tarea4.search.spaces import GRID, NOISY, SPACES
from tarea4.search.study import FINISHED, open_study
from tarea4.training import train_all

EPOCHS = 15


@pytest.fixture(scope="session")
def images_path(tmp_path_factory):
    """Las primeras 300 imágenes de MNIST en un archivo: un ensayo de Q4 tarda décimas de segundo."""
    path = tmp_path_factory.mktemp("imagenes") / "pocas.npz"
    with np.load(data.MNIST_PATH) as archive:
        np.savez(path, **{name: archive[name][: 300 if "train" in name else 50] for name in archive.files})
    return path


@pytest.fixture(scope="session")
def images(images_path):
    """Esas imágenes, cargadas: 270 entrenan y 30 validan."""
    return data.load(images_path)


def rebuild(name, trial, data):
    """La red de un ensayo y sus opciones, otra vez."""
    return SPACES[name].suggest(optuna.trial.FixedTrial(trial.params), data)


@pytest.fixture
def designed(monkeypatch):
    """Deja en Q4 solo dos ensayos diseñados: los siguientes son del muestreador."""
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(designed=GRID[:2]))
    return GRID[:2]


@pytest.fixture(scope="module")
def done_path(images, tmp_path_factory):
    """El diario de un estudio de Q4 con los cuatro primeros ensayos de la rejilla; no se modifica."""
    path = tmp_path_factory.mktemp("hecho") / "q4.log"
    search.search(open_study("q4", path, images), images, n_trials=4, seed=0, verbose=False)
    return path


@pytest.fixture
def done(done_path):
    """Ese estudio."""
    return open_study("q4", done_path)


def finished(study):
    return study.get_trials(states=FINISHED)


def all_params(trials):
    return [tuple(sorted(trial.params.items())) for trial in trials]


# ------------------------------------------------------------------------------------------------- la terminal


def test_help_is_in_spanish(capsys):
    """La ayuda cuenta cada opción en español, sin nada de lo que argparse dice en inglés."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for name, field in cli.Search.model_fields.items():
        assert f"--{name.replace('_', '-')} VALOR" in shown
        assert field.description.split()[0] in shown
    assert not any(word in shown for word in ("usage", "options", "optional", "show this", "default", "None"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--alfa", "1"], "opción desconocida '--alfa': se admiten --study, --n-trials"),
        (["--n", "3"], "opción desconocida '--n'"),
        (["suelto"], "opción desconocida 'suelto'"),
        (["--seed"], "--seed: falta su valor."),
        (["--study", "q6"], "study: se recibió 'q6' y se admite 'q4'"),
        (["--n-trials", "0"], "n_trials: se recibió '0' y se admite un entero"),
        (["--n-trials", "tres"], "n_trials: se recibió 'tres'"),
        (["--timeout", "-1"], "timeout: se recibió '-1'"),
        (["--seed", "-1"], "seed: se recibió '-1'"),
        (["--data-path", "nada.npz"], "data_path: no existe el archivo 'nada.npz'"),
        (["--storage", "nada://"], "storage: se recibió 'nada://', que no se puede abrir"),
        (["--storage", "."], "storage: se recibió '.'"),
        (["--storage", "ajeno.txt"], "storage: se recibió 'ajeno.txt'"),
        (["--storage", "sqlite+pysqlcipher://yo:secreto@x/y"], "storage: se recibió 'sqlite+pysqlcipher://…@x/y'"),
    ],
)
def test_bad_options_get_one_sentence(arguments, sentence, images_path, tmp_path, monkeypatch):
    """Lo que no se admite se dice en una frase en español, y no se crea ni se cambia nada."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ajeno.txt").write_text("esto no es\nun diario\n", encoding="utf-8")
    given = [] if "--data-path" in arguments else ["--data-path", str(images_path)]
    with pytest.raises(SystemExit) as ended:
        main([*given, *arguments])
    assert ended.value.code.startswith(sentence)
    assert "\n" not in ended.value.code
    assert [path.name for path in tmp_path.iterdir()] == ["ajeno.txt"]
    assert (tmp_path / "ajeno.txt").read_text(encoding="utf-8") == "esto no es\nun diario\n"


def test_command_ends_with_its_code(tmp_path):
    """En un proceso de verdad, el código de salida es 1 y solo se ve la frase."""
    process = subprocess.run(
        [sys.executable, "-m", "tarea4.search", "--study", "q6"], cwd=tmp_path, capture_output=True, text=True
    )
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.startswith("study: se recibió 'q6' y se admite 'q4'")
    assert process.stderr.count("\n") == 1


def test_command_follows_its_study(images_path, tmp_path, monkeypatch, capsys):
    """Sin almacén, el diario queda en `estudios/`; un tiempo agotado lo deja como estaba, y se dice cuánto hay."""
    monkeypatch.chdir(tmp_path)
    options = ["--data-path", str(images_path), "--n-trials", "2"]
    main([*options, "--timeout", "1e-9"])
    assert capsys.readouterr().out == "q4: 0 ensayos terminados; la menor pérdida de validación, nan.\n"
    main(options)
    study = open_study("q4", "estudios/q4.log")
    output = capsys.readouterr()
    assert output.out == f"q4: 2 ensayos terminados; la menor pérdida de validación, {study.best_value:.4f}.\n"
    assert "2/2" in output.err
    assert all_params(finished(study)) == [tuple(sorted(params.items())) for params in GRID[:2]]


# ------------------------------------------------------------------------------------- lo que guarda un estudio


def test_study_stops_at_its_trials(images, designed, tmp_path):
    """`n_trials` cuenta todos los que hay: repetir no añade ninguno, y pedir otro añade uno; los diseñados, primero."""
    path = tmp_path / "q4.log"
    study = open_study("q4", path, images)
    for n_trials in (3, 3, 2, 4):
        search.search(study, images, n_trials=n_trials, verbose=False)
        assert len(finished(study)) == max(n_trials, 3)
    assert [trial.params for trial in study.trials[:2]] == designed
    assert len(set(all_params(study.trials))) == 4
    written = path.read_bytes()
    search.search(open_study("q4", path, images), images, n_trials=4, verbose=False)
    assert path.read_bytes() == written


def test_trials_keep_everything(done, images):
    """De cada ensayo quedan parámetros, curva, segundos y versiones, y la tabla los ordena por su pérdida."""
    for trial, params in zip(done.trials, GRID, strict=False):
        if trial.state == TrialState.WAITING:
            continue
        assert trial.params == params
        assert list(trial.intermediate_values) == list(range(1, EPOCHS + 1))
        assert trial.value == min(trial.intermediate_values.values())
        assert trial.duration.total_seconds() > 0
        assert trial.user_attrs["versions"].keys() == {"keras", "tensorflow"}
        assert trial.user_attrs["parameters"] == rebuild("q4", trial, images).model.count_params()
    table = trials_table(done)
    assert len(table) == 4
    assert table["val_loss"].is_monotonic_increasing
    assert table["val_loss"][0] == done.best_value
    assert not table["pruned"].any()
    assert (table["epochs"] == EPOCHS).all()
    assert table["val_accuracy"].between(0, 1).all()
    assert (table["seconds"] > 0).all()


def test_rebuilt_network_is_that_of_the_trial(done, images):
    """La red reconstruida, entrenada otra vez con la semilla 0, repite la curva guardada."""
    trial = done.trials[3]
    training = dataclasses.replace(rebuild("q4", trial, images), train_metrics=False)
    [run] = train_all({"": training}, images, [0])[""]
    assert run.history["val_loss"] == list(trial.intermediate_values.values())


def test_pruned_trials_keep_their_curve(images, tmp_path, monkeypatch):
    """Un ensayo podado cuenta como terminado, con su curva hasta la poda y la menor de sus pérdidas."""
    pruner = optuna.pruners.ThresholdPruner(upper=1e-9, n_warmup_steps=3)
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(pruner=pruner))
    study = open_study("q4", tmp_path / "q4.log", images)
    search.search(study, images, n_trials=2, verbose=False)
    trials = finished(study)
    assert [trial.state for trial in trials] == [TrialState.PRUNED] * 2
    assert [list(trial.intermediate_values) for trial in trials] == [[1, 2, 3]] * 2
    table = trials_table(study)
    assert table["pruned"].all()
    assert sorted(table["val_loss"]) == sorted(min(trial.intermediate_values.values()) for trial in trials)
    assert (table["epochs"] == 3).all()


def test_diverging_trials_are_pruned(images, tmp_path):
    """Una pérdida que deja de ser finita no detiene el estudio: el ensayo cuenta como podado."""
    poisoned = dataclasses.replace(images, x_train=np.full_like(images.x_train, np.nan))
    study = open_study("q4", tmp_path / "q4.log")
    search.search(study, poisoned, n_trials=2, verbose=False)
    assert [trial.state for trial in finished(study)] == [TrialState.PRUNED] * 2
    assert all(math.isnan(value) for value in trials_table(study)["val_loss"])


@pytest.mark.parametrize("name", ["q5-presupuesto", "q5-libre"])
def test_q5_proposes_networks_of_its_kind(name, small):
    """De veinte ensayos al azar, todos son redes que se construyen, y con presupuesto ninguna lo pasa."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.enqueue_trial(NOISY)
    totals = []
    for _ in range(20):
        trial = study.ask()
        training = SPACES[name].suggest(trial, small)
        study.tell(trial, 1.0)
        totals.append(training.model.count_params())
        assert totals[-1] == rebuild(name, study.trials[-1], small).model.count_params()
        assert training.batch_size in (64, 128, 256, 512)
    if name == "q5-presupuesto":
        assert max(totals) <= BUDGET_2020
        assert min(totals) > 0.9 * BUDGET_2020  # una unidad más por capa son como mucho unos 3 000 parámetros
    else:
        assert max(totals) > 10 * BUDGET_2020
    assert {trial.params["n_layers"] for trial in study.trials} == {1, 2, 3, 4, 5}


def test_long_study_fixes_what_is_settled(small):
    """El estudio largo no busca lo que el corto dejó claro, y sí lo demás; todas sus redes caben en el presupuesto."""
    space = SPACES["q5-largo"]
    study = optuna.create_study(sampler=search._sampler(space, seed=0))
    for _ in range(12):
        trial = study.ask()
        assert space.suggest(trial, small).model.count_params() <= BUDGET_2020
        study.tell(trial, trial.params["noise"])
        assert space.fixed.items() <= trial.params.items()
    searched = [name for name in study.trials[0].params if name not in space.fixed]
    assert {"n_layers", "activation", "noise", "noise_hidden", "learning_rate", "weight_decay"} <= set(searched)
    assert all(len({trial.params[name] for trial in study.trials}) > 1 for name in ("n_layers", "noise", "activation"))


def test_seed_decides_what_is_tried(images, tmp_path, monkeypatch):
    """Con una semilla se prueba lo mismo, se corte o no; con otra, otra cosa."""
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(designed=[]))
    tried = {}
    for name, seed, steps in (("seguido", 5, [3]), ("cortado", 5, [1, 2, 3]), ("otra", 6, [3])):
        for n_trials in steps:
            study = open_study("q4", tmp_path / f"{name}.log", images)
            search.search(study, images, n_trials=n_trials, seed=seed, verbose=False)
        tried[name] = all_params(study.trials)
    assert tried["seguido"] == tried["cortado"]
    assert len(set(tried["seguido"])) == 3
    assert not set(tried["seguido"]) & set(tried["otra"])


def test_study_belongs_to_its_data(done_path, images, small):
    """Leer un estudio no escribe en él, y seguirlo con otros datos se rechaza."""
    written = done_path.read_bytes()
    open_study("q4", done_path, images)
    open_study("q4", done_path)
    with pytest.raises(ValueError, match="data_path: el estudio 'q4' de ese almacén es de otros datos"):
        open_study("q4", done_path, small)
    assert done_path.read_bytes() == written


# ---------------------------------------------------------------------------------------------------- los cortes


def test_interrupted_trial_is_tried_again(images, designed, tmp_path, monkeypatch):
    """Con Control-C se acaba con una frase, y la vez siguiente se repite el ensayo cortado."""
    path = tmp_path / "q4.log"
    report = search._Report.on_epoch_end

    def interrupt(self, epoch, logs=None):
        report(self, epoch, logs)
        if (self.trial.number, epoch) == (2, 4):  # el primero del muestreador
            raise KeyboardInterrupt

    monkeypatch.setattr(search._Report, "on_epoch_end", interrupt)
    monkeypatch.setattr(cli, "load", lambda _: images)
    with pytest.raises(SystemExit, match="Cortado: la misma orden sigue"):
        main(["--storage", str(path), "--n-trials", "4"])
    main(["--storage", str(path), "--n-trials", "4"])
    study = open_study("q4", path)
    assert study.trials[2].state == TrialState.FAIL
    assert len(finished(study)) == 4
    assert all_params(finished(study)).count(all_params(study.trials)[2]) == 1


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_half_a_line_is_no_obstacle(done_path, images, tmp_path, kept):
    """Un diario cuya última línea se cortó al escribirla se abre y sigue, sin perder ningún ensayo terminado."""
    path, mine = tmp_path / "q4.log", f'"pid":{os.getpid()}'.encode()
    *lines, last = done_path.read_bytes().replace(mine, f'"pid":{dead_pid()}'.encode()).splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + last[:kept])
    before = finished(open_study("q4", path))
    assert len(before) == 3  # la línea cortada era el final del cuarto
    search.search(open_study("q4", path, images), images, n_trials=5, verbose=False)
    study = open_study("q4", path)
    assert finished(study)[:3] == before
    assert study.trials[3].state == TrialState.FAIL
    assert len(set(all_params(finished(study)))) == len(finished(study)) == 5


def test_stale_lock_is_released(done_path, images, tmp_path, monkeypatch):
    """El cerrojo que dejó un proceso muerto se suelta solo, también con una ruta relativa, que es la de siempre."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "estudios").mkdir()
    (tmp_path / "estudios/q4.log").write_bytes(done_path.read_bytes())
    (tmp_path / "estudios/q4.log.lock").touch()
    start = time.monotonic()
    search.search(open_study("q4", "estudios/q4.log", images), images, n_trials=5, verbose=False)
    assert time.monotonic() - start > 9  # diez segundos de gracia
    assert len(finished(open_study("q4", "estudios/q4.log"))) == 5
    assert not (tmp_path / "estudios/q4.log.lock").exists()


def orphan(study, *, pid, machine=None, age=timedelta()):
    """Añade el ensayo a medias de otro proceso, con los parámetros del último de la rejilla, y devuelve su número."""
    trial = optuna.trial.create_trial(
        state=TrialState.RUNNING,
        system_attrs={"fixed_params": GRID[-1]},
        user_attrs={"process": {"machine": machine or search._process()["machine"], "pid": pid}},
    )
    trial.datetime_start = datetime.now() - age
    study.add_trial(trial)
    return study.trials[-1].number


@pytest.mark.parametrize(
    ("owner", "state"),
    [
        (lambda: {"pid": dead_pid()}, TrialState.FAIL),
        (lambda: {"pid": os.getpid()}, TrialState.RUNNING),
        # Otro proceso, posterior, tiene ahora su número.
        (lambda: {"pid": os.getpid(), "age": datetime.now() - started() + timedelta(hours=1)}, TrialState.FAIL),
        (lambda: {"pid": dead_pid(), "machine": "otra"}, TrialState.RUNNING),
        (lambda: {"pid": dead_pid(), "machine": "otra", "age": timedelta(hours=25)}, TrialState.FAIL),
    ],
)
def test_only_orphans_are_tried_again(owner, state, images, tmp_path, monkeypatch):
    """Se repite el ensayo de un proceso muerto de esta máquina; el de uno vivo o de otra, solo pasado un día."""
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(designed=[]))
    study = open_study("q4", tmp_path / "q4.log", images)
    number = orphan(study, **owner())
    search.search(study, images, n_trials=2, verbose=False)
    assert study.trials[number].state == state
    tried_again = tuple(sorted(GRID[-1].items())) in all_params(finished(study))
    assert tried_again is (state == TrialState.FAIL)
    assert len(finished(study)) == (2 if tried_again else 1)  # el que está en marcha ocupa su puesto


def started():
    return datetime.fromtimestamp(psutil.Process().create_time())


def test_late_trials_do_not_count(images, designed, tmp_path, monkeypatch):
    """Aunque dos procesos pongan en espera lo mismo o empiecen uno de más, ni se repite un ensayo ni sobra ninguno."""
    study = open_study("q4", tmp_path / "q4.log", images)
    for params in (*designed, *designed):
        study.enqueue_trial(params)
    # No ve a tiempo que ya están todos, y empieza dos de más.
    monkeypatch.setattr(
        optuna.study, "MaxTrialsCallback", lambda *_: lambda study, trial: trial.number < 6 or study.stop()
    )
    search.search(study, images, n_trials=3, verbose=False)
    assert [trial.number for trial in study.trials if trial.state == TrialState.FAIL] == [2, 3, 5, 6]
    assert len(finished(study)) == 3
    assert len(set(all_params(finished(study)))) == 3
    assert [trial.params for trial in finished(study)[:2]] == designed


# ------------------------------------------------------------------------------------------- procesos de verdad


def fill(study, images):
    """Da por terminada la rejilla entera, para que los ensayos siguientes sean del muestreador."""
    probe = optuna.create_study().ask()
    SPACES["q4"].suggest(probe, images)
    for params in GRID:
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions=probe.distributions, value=3.0, intermediate_values={1: 3.0}
            )
        )


@pytest.fixture
def start(images_path):
    """Empieza procesos que siguen un estudio, todos con la misma semilla, que es lo peor que puede pasar."""
    processes = []

    def start(storage, n_trials):
        options = {"storage": storage, "data-path": images_path, "n-trials": n_trials, "seed": 0}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "tarea4.search", *arguments]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def freeze(process, study, lock=None):
    """Detiene un proceso en mitad de un ensayo, sin el cerrojo del diario en la mano, y devuelve el ensayo."""
    while process.poll() is None:
        if in_flight(process, study):
            process.send_signal(signal.SIGSTOP)
            while psutil.Process(process.pid).status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                time.sleep(0.001)  # aún corre: podría tomar el cerrojo después de que se mire
            if (trial := in_flight(process, study)) and not (lock and lock.exists()):
                return trial
            process.send_signal(signal.SIGCONT)
        time.sleep(0.005)
    raise AssertionError(process.stderr.read())


def in_flight(process, study):
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if trial.user_attrs.get("process", {}).get("pid") == process.pid and trial.intermediate_values:
            return trial
    return None


def check_shared_study(study, n_trials, lost):
    """Los terminados son los pedidos y no se repiten; el que se perdió se probó otra vez, y los de antes siguen."""
    trials = finished(study)
    assert len(trials) == n_trials
    assert len(set(all_params(trials))) == n_trials
    assert [trial.params for trial in trials[: len(GRID)]] == GRID
    assert not study.get_trials(states=(TrialState.RUNNING,))
    for trial in trials[len(GRID) :]:
        assert sorted(trial.intermediate_values) == list(range(1, EPOCHS + 1))
    if lost:
        assert study.trials[lost.number].state == TrialState.FAIL
        assert all_params(trials).count(all_params([lost])[0]) == 1


def test_killed_search_goes_on(start, images, images_path, tmp_path):
    """Tras un `kill -9` en mitad de un ensayo se siguen los demás: ninguno terminado se pierde ni se repite."""
    path = tmp_path / "q4.log"
    study = open_study("q4", path, images)
    fill(study, images)
    process = start(path, len(GRID) + 50)
    lost = freeze(process, study, path.with_name("q4.log.lock"))
    process.kill()
    process.wait()
    before = finished(study)
    assert study.trials[lost.number].state == TrialState.RUNNING
    main(["--storage", str(path), "--data-path", str(images_path), "--n-trials", str(len(before) + 3), "--seed", "0"])
    check_shared_study(study, len(before) + 3, lost)
    assert finished(study)[: len(before)] == before


def test_two_processes_share_a_journal(start, images, tmp_path):
    """Dos procesos sobre un diario suman exactamente los ensayos pedidos, y ninguno es de los dos."""
    path, n_trials = tmp_path / "q4.log", len(GRID) + 8
    study = open_study("q4", path, images)
    fill(study, images)
    first = start(path, n_trials)
    freeze(first, study, path.with_name("q4.log.lock"))
    second = start(path, n_trials)
    freeze(second, study, path.with_name("q4.log.lock"))
    for process in (first, second):
        process.send_signal(signal.SIGCONT)
    for process in (first, second):
        assert process.wait(120) == 0, process.stderr.read()
    check_shared_study(study, n_trials, lost=None)
    owners = [trial.user_attrs["process"]["pid"] for trial in finished(study)[len(GRID) :]]
    assert set(owners) == {first.pid, second.pid}
