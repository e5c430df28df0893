"""Prueba `tarea4.search.run` con ensayos reales: se cuentan, se guardan, se podan y se reanudan tras un corte."""

import dataclasses
import math
import os
import subprocess
import sys
from datetime import datetime, timedelta

import numpy as np
import optuna
import psutil
import pytest
from optuna.storages.journal import JournalFileOpenLock
from optuna.trial import TrialState

from tarea4.search import __main__ as cli
from tarea4.search import reading, run
from tarea4.search.__main__ import main
from tarea4.search.reading import trials_table
from tarea4.search.run import FINISHED, count, open_study, search
from tarea4.search.spaces import GRID, NOISY, SPACES
from tarea4.training import train_all

EPOCHS = 15


@pytest.fixture(scope="module")
def done_path(images, tmp_path_factory):
    """El diario de un estudio de Q4 con los tres primeros ensayos de la rejilla; no se modifica."""
    path = tmp_path_factory.mktemp("hecho") / "q4.log"
    search(open_study("q4", path, images), images, n_trials=3, seed=0, bar=False)
    return path


def finished(study):
    return study.get_trials(states=FINISHED)


def all_params(trials):
    return [tuple(sorted(trial.params.items())) for trial in trials]


# ------------------------------------------------------------------------------------------------- la terminal


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Una carpeta cualquiera, con los estudios publicados en otra, que es de mentira."""
    (tmp_path / "casa" / "estudios").mkdir(parents=True)
    (tmp_path / "otra").mkdir()
    monkeypatch.setattr(reading, "STUDIES_PATH", tmp_path / "casa" / "estudios")
    monkeypatch.chdir(tmp_path / "otra")
    return tmp_path / "otra"


def test_help_is_in_spanish(capsys):
    """La ayuda cuenta cada opción en español, sin nada de lo que argparse dice en inglés."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("python -m tarea4.search [opciones] sigue un estudio")
    for name, field in cli.Search.model_fields.items():
        assert f"--{name.replace('_', '-')} VALOR {field.description}" in shown
    assert shown.count("(por omisión,") == 2
    assert "(por omisión, 150)" in shown
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
        (["--timeout", "-1"], "timeout: se recibió '-1'"),
        (["--data-path", "nada.npz"], "data_path: no existe el archivo 'nada.npz'"),
        (["--storage", "nada://"], "storage: se recibió 'nada://', que no se puede abrir"),
        (["--storage", "."], "storage: se recibió '.'"),
        (["--storage", "ajeno.txt"], "storage: se recibió 'ajeno.txt'"),
        (["--storage", "sqlite+pysqlcipher://yo:secreto@x/y"], "storage: se recibió 'sqlite+pysqlcipher://…@x/y'"),
    ],
)
def test_bad_options_get_one_sentence(arguments, sentence, images_path, here):
    """Lo que no se admite se dice en una frase en español, y no se crea ni se cambia nada."""
    (here / "ajeno.txt").write_text("esto no es\nun diario\n", encoding="utf-8")
    given = [] if "--data-path" in arguments else ["--data-path", str(images_path)]
    with pytest.raises(SystemExit) as ended:
        main([*given, *arguments])
    assert ended.value.code.startswith(sentence)
    assert "\n" not in ended.value.code
    assert [path.name for path in (*here.iterdir(), *reading.STUDIES_PATH.iterdir())] == ["ajeno.txt"]
    assert (here / "ajeno.txt").read_text(encoding="utf-8") == "esto no es\nun diario\n"


def test_command_follows_the_published_study_from_anywhere(images_path, here, designed, capsys):
    """Sin almacén se sigue el estudio publicado, no uno vacío de la carpeta en la que se está, y se dice cuánto hay."""
    options = ["--data-path", str(images_path), "--n-trials", "2"]
    main([*options, "--timeout", "1e-9"])
    assert capsys.readouterr().out == "q4: 0 ensayos terminados; la menor pérdida de validación, nan.\n"
    main(options)
    study = open_study("q4", reading.STUDIES_PATH / "q4.log")
    output, best = capsys.readouterr(), min(trial.value for trial in study.trials)
    assert output.out == f"q4: 2 ensayos terminados; la menor pérdida de validación, {best:.4f}.\n"
    assert "2/2" in output.err
    assert [trial.params for trial in finished(study)] == designed
    assert list(here.iterdir()) == []


def test_command_asks_for_a_storage_where_nothing_is_published(images_path, here):
    """Donde el paquete no está en su repositorio no hay estudios: se pide `--storage`, y con él se sigue."""
    reading.STUDIES_PATH.rmdir()
    options = ["--data-path", str(images_path), "--n-trials", "1"]
    with pytest.raises(SystemExit, match=r"^storage: aquí no hay estudios publicados; --storage admite"):
        main(options)
    assert not reading.STUDIES_PATH.exists()
    assert list(here.iterdir()) == []
    main([*options, "--storage", "mío/q4.log"])
    assert count(open_study("q4", here / "mío" / "q4.log")) == 1


# ------------------------------------------------------------------------------------- lo que guarda un estudio


def test_study_stops_at_its_trials(images, designed, tmp_path):
    """`n_trials` cuenta todos los que hay: repetir no añade ninguno ni escribe; los diseñados van primero."""
    path = tmp_path / "q4.log"
    study = open_study("q4", path, images)
    for n_trials in (3, 3, 2, 4):
        search(study, images, n_trials=n_trials, bar=False)
        assert len(finished(study)) == max(n_trials, 3)
    assert [trial.params for trial in study.trials[:2]] == designed
    assert len(set(all_params(study.trials))) == 4
    written = path.read_bytes()
    search(open_study("q4", path, images), images, n_trials=4, bar=False)
    assert path.read_bytes() == written


def test_trials_keep_what_was_measured(done_path, images):
    """Entrenado otra vez con la semilla 0, un ensayo repite su curva, y su exactitud es la de su menor pérdida."""
    done = open_study("q4", done_path)
    assert [trial.params for trial in done.trials] == GRID[:3] + [{}] * (len(GRID) - 3)
    assert [trial.state for trial in done.trials[3:]] == [TrialState.WAITING] * (len(GRID) - 3)
    for trial in finished(done):
        assert list(trial.intermediate_values) == list(range(1, EPOCHS + 1))
        assert trial.value == min(trial.intermediate_values.values())
        assert trial.user_attrs["versions"].keys() == {"keras", "tensorflow"}
    proposed = SPACES["q4"].suggest(optuna.trial.FixedTrial(GRID[2]), images)
    [again] = train_all({"": dataclasses.replace(proposed, train_metrics=False)}, images, [0])[""]
    assert again.history["val_loss"] == list(done.trials[2].intermediate_values.values())
    assert again.best("val_accuracy") == done.trials[2].user_attrs["val_accuracy"]
    assert again.model.count_params() == done.trials[2].user_attrs["parameters"]


def test_least_loss_counts_though_it_is_not_the_last(images, tmp_path, monkeypatch):
    """De un ensayo que sobreajusta, el valor y la exactitud son los de su mejor época; su receta repite la curva."""
    hasty = NOISY | {"noise": 0.0, "noise_hidden": 0.0, "batch_norm": False}
    hasty |= {"schedule": "constante", "batch_size": 64, "learning_rate": 1e-2, "width": 64}
    monkeypatch.setitem(SPACES, "q5-libre", SPACES["q5-libre"]._replace(designed=[hasty]))
    study = open_study("q5-libre", tmp_path / "q5.log", images)
    search(study, images, n_trials=1, bar=False)
    [trial] = finished(study)
    curve = list(trial.intermediate_values.values())
    assert 0 < np.argmin(curve) < len(curve) - 1
    assert trial.value == min(curve) == trials_table(study)["val_loss"][0]
    [recipe] = reading.best_recipes(study, images, EPOCHS, 3).values()
    [again] = train_all({"": recipe.training(images, train_metrics=False)}, images, [0])[""]
    assert again.history["val_loss"] == curve
    assert again.best("val_accuracy") == trial.user_attrs["val_accuracy"]
    assert again.model.count_params() == trial.user_attrs["parameters"] == 785 * 64 + 65 * 56 + 57 * 10


def test_pruned_trials_keep_their_curve(images, tmp_path, monkeypatch):
    """Un ensayo podado cuenta como terminado, con su curva hasta la poda y la menor de sus pérdidas."""
    pruner = optuna.pruners.ThresholdPruner(upper=1e-9, n_warmup_steps=3)
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(pruner=pruner))
    study = open_study("q4", tmp_path / "q4.log", images)
    search(study, images, n_trials=2, bar=False)
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
    search(study, poisoned, n_trials=2, bar=False)
    assert [trial.state for trial in finished(study)] == [TrialState.PRUNED] * 2
    assert all(math.isnan(value) for value in trials_table(study)["val_loss"])


def test_seed_decides_what_is_tried(images, tmp_path, monkeypatch):
    """Con una semilla se prueba lo mismo, se corte o no; con otra, otra cosa; lo que un estudio no busca no cambia."""
    fixed = {"log10_alpha_l1": -3.0}
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(designed=[], fixed=fixed))
    tried = {}
    for name, seed, steps in (("seguido", 5, [3]), ("cortado", 5, [1, 2, 3]), ("otra", 6, [3])):
        for n_trials in steps:
            study = open_study("q4", tmp_path / f"{name}.log", images)
            search(study, images, n_trials=n_trials, seed=seed, bar=False)
        tried[name] = all_params(study.trials)
    assert tried["seguido"] == tried["cortado"]
    assert len(set(tried["seguido"])) == 3
    assert not set(tried["seguido"]) & set(tried["otra"])
    assert {trial.params["log10_alpha_l1"] for trial in study.trials} == {-3.0}


def test_study_belongs_to_its_data(done_path, images, small):
    """Abrir un estudio no escribe en él, y seguirlo con otros datos se rechaza."""
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
    report = optuna.Trial.report

    def interrupt(trial, value, step):
        report(trial, value, step)
        if (trial.number, step) == (2, 5):  # el primero del muestreador
            raise KeyboardInterrupt

    monkeypatch.setattr(optuna.Trial, "report", interrupt)
    monkeypatch.setattr(cli, "load", lambda _: images)
    with pytest.raises(SystemExit, match="Cortado: la misma orden sigue"):
        main(["--storage", str(path), "--n-trials", "4"])
    main(["--storage", str(path), "--n-trials", "4"])
    study = open_study("q4", path)
    assert study.trials[2].state == TrialState.FAIL
    assert len(finished(study)) == 4
    assert all_params(finished(study)).count(all_params(study.trials)[2]) == 1


@pytest.fixture(scope="module")
def dead_pid():
    """El número de un proceso que ya no existe."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_half_a_line_is_no_obstacle(done_path, images, dead_pid, tmp_path, kept):
    """Un diario cuya última línea se cortó al escribirla se abre y sigue, sin perder ningún ensayo terminado."""
    path, mine = tmp_path / "q4.log", f'"pid":{os.getpid()}'.encode()
    *lines, last = done_path.read_bytes().replace(mine, f'"pid":{dead_pid}'.encode()).splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + last[:kept])
    before = finished(open_study("q4", path))
    assert len(before) == 2  # la línea cortada era el final del tercero
    search(open_study("q4", path, images), images, n_trials=4, bar=False)
    study = open_study("q4", path)
    assert finished(study)[:2] == before
    assert study.trials[2].state == TrialState.FAIL
    assert len(set(all_params(finished(study)))) == len(finished(study)) == 4


def test_stale_lock_is_released(done_path, images, tmp_path, monkeypatch):
    """El cerrojo que dejó un proceso muerto se suelta solo a los diez segundos, que aquí son dos décimas."""
    asked, init = set(), JournalFileOpenLock.__init__

    def quick(self, path, grace_period):
        asked.add(grace_period)
        init(self, path, grace_period=0.2)

    monkeypatch.setattr(JournalFileOpenLock, "__init__", quick)
    monkeypatch.chdir(tmp_path)  # la ruta es relativa
    (tmp_path / "q4.log").write_bytes(done_path.read_bytes())
    (tmp_path / "q4.log.lock").touch()
    search(open_study("q4", "q4.log", images), images, n_trials=4, bar=False)
    assert asked == {10}
    assert count(open_study("q4", "q4.log")) == 4
    assert not (tmp_path / "q4.log.lock").exists()


@pytest.mark.parametrize(
    ("mine", "same_machine", "age", "state"),
    [
        (False, True, timedelta(), TrialState.FAIL),
        (True, True, timedelta(), TrialState.RUNNING),
        (True, True, None, TrialState.FAIL),  # empezó antes que este proceso: el suyo tenía el mismo número
        (False, False, timedelta(hours=23), TrialState.RUNNING),
        (False, False, timedelta(hours=25), TrialState.FAIL),
    ],
)
def test_only_orphans_are_tried_again(mine, same_machine, age, state, images, dead_pid, tmp_path, monkeypatch):
    """Se repite el ensayo de un proceso muerto de esta máquina; el de uno vivo o de otra, solo pasado un día."""
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(designed=[]))
    study = open_study("q4", tmp_path / "q4.log", images)
    owner = {"machine": run.MACHINE if same_machine else "otra", "pid": os.getpid() if mine else dead_pid}
    orphan = optuna.trial.create_trial(
        state=TrialState.RUNNING, system_attrs={"fixed_params": GRID[-1]}, user_attrs={"process": owner}
    )
    birth = datetime.fromtimestamp(psutil.Process().create_time())
    orphan.datetime_start = birth - timedelta(hours=1) if age is None else datetime.now() - age
    study.add_trial(orphan)
    search(study, images, n_trials=2, bar=False)
    assert study.trials[0].state == state
    tried_again = tuple(sorted(GRID[-1].items())) in all_params(finished(study))
    assert tried_again is (state == TrialState.FAIL)
    assert len(finished(study)) == (2 if tried_again else 1)  # el que está en marcha ocupa su puesto


def test_late_trials_do_not_count(images, designed, tmp_path, monkeypatch):
    """Aunque dos procesos pongan en espera lo mismo o empiecen uno de más, ni se repite un ensayo ni sobra ninguno."""
    study = open_study("q4", tmp_path / "q4.log", images)
    for params in (*designed, *designed):
        study.enqueue_trial(params)
    # No ve a tiempo que ya están todos, y empieza dos de más.
    monkeypatch.setattr(run, "MaxTrialsCallback", lambda *_: lambda study, trial: trial.number < 6 or study.stop())
    search(study, images, n_trials=3, bar=False)
    assert [trial.number for trial in study.trials if trial.state == TrialState.FAIL] == [2, 3, 5, 6]
    assert len(finished(study)) == 3
    assert len(set(all_params(finished(study)))) == 3
    assert [trial.params for trial in finished(study)[:2]] == designed
