"""Prueba `tarea4.search.run`: abrir no escribe, los ensayos se cuentan, se guardan, se podan y siguen tras un corte."""

import dataclasses
import errno
import json
import math
import os
import resource
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta

import few
import numpy as np
import optuna
import psutil
import pytest
from optuna.storages.journal import JournalFileOpenLock
from optuna.trial import FixedTrial, TrialState

from tarea4.report.words import number
from tarea4.search import __main__ as cli
from tarea4.search import reading, run
from tarea4.search.__main__ import main
from tarea4.search.reading import trials_table
from tarea4.search.run import FINISHED, count, open_study, search
from tarea4.search.spaces import NOISY, SEARCHING, SPACES, fingerprint, proposed
from tarea4.training import train_all


def finished(study):
    return study.get_trials(states=FINISHED)


def all_params(trials):
    return [tuple(sorted(trial.params.items())) for trial in trials]


def new(name, path, images):
    """Un estudio que se estrena."""
    return open_study(name, path, images, create=True)


@pytest.fixture
def done(untrained, images, tmp_path):
    """El diario de un estudio de Q4 con tres ensayos."""
    path = tmp_path / "q4.log"
    search(new("q4", path, images), images, n_trials=3, seed=0, bar=False)
    return path


# ------------------------------------------------------------------------------------------------- la terminal


@pytest.fixture
def here(tmp_path, monkeypatch, shelf):
    """Una carpeta cualquiera, con los estudios publicados en otra, que está vacía."""
    (tmp_path / "otra").mkdir()
    monkeypatch.chdir(tmp_path / "otra")
    return tmp_path / "otra"


def refused(*arguments):
    """La frase con la que acaba la orden, que es una y con código de salida 1."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    sentence = ended.value.code
    assert isinstance(sentence, str)  # Python la escribe en la salida de errores y acaba con el código 1
    assert "\n" not in sentence
    return sentence


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
    assert "(por omisión, 100)" in shown
    assert not any(word in shown for word in ("usage", "options", "optional", "show this", "default", "None"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--alfa", "1"], "opción desconocida '--alfa': se admiten --study, --n-trials"),
        (["--n", "3"], "opción desconocida '--n'"),
        (["suelto"], "opción desconocida 'suelto'"),
        (["--seed"], "--seed: falta su valor."),
        (["--study", "q6"], "study: se recibió 'q6' y se admite 'q3'"),
        (["--n-trials", "0"], "n_trials: se recibió '0' y se admite un entero"),
        (["--timeout", "-1"], "timeout: se recibió '-1'"),
        (["--data-path", "nada.npz"], "data_path: no existe el archivo 'nada.npz'"),
    ],
)
def test_bad_options_get_one_sentence(arguments, sentence, images_path, here):
    """Una opción que no se admite se dice en una frase en español, y no se crea nada."""
    given = [] if "--data-path" in arguments else ["--data-path", images_path]
    assert refused(*given, *arguments).startswith(sentence)
    assert few.contents(here.parent) == {"otra": False, "estudios": False}


@pytest.fixture
def others(here, images, small):
    """Una carpeta con lo que no es un estudio de Q4 de estos datos."""
    texts = {
        "resultados.json": '{"dropout": 0.2}',  # una línea, sin el salto del final
        "apuntes.txt": "esto no es\nun diario\n",
        "listas.jsonl": "[1]\n[2]\n",
        "vacío.log": "",
        "media.log": '{"op_code":0,"worker_id":"x","study_na',
    }
    for name, text in texts.items():
        (here / name).write_text(text, encoding="utf-8")
    (here / "q5.log").write_bytes(few.store(here.parent, "q5", images, []).read_bytes())
    (here / "de otros datos.log").write_bytes(few.store(here.parent, "q4", small, []).read_bytes())
    foreign = optuna.storages.journal.JournalFileBackend("de otro programa.log")
    optuna.create_study(study_name="q4", storage=optuna.storages.JournalStorage(foreign))
    with sqlite3.connect("facturas.db") as connection:
        connection.execute("CREATE TABLE facturas (id INTEGER)")
    connection.close()
    return here


@pytest.mark.parametrize(
    ("storage", "why"),
    [
        ("resultados.json", "que no se puede abrir como ese estudio (KeyError)"),
        ("apuntes.txt", "que no se puede abrir como ese estudio (JSONDecodeError)"),
        ("listas.jsonl", "que no se puede abrir como ese estudio (TypeError)"),
        ("vacío.log", "que no se puede abrir como ese estudio (KeyError)"),
        ("media.log", "que no se puede abrir como ese estudio (KeyError)"),
        ("q5.log", "que no se puede abrir como ese estudio (KeyError)"),
        (".", "que no se puede abrir como ese estudio (IsADirectoryError)"),
        ("sin/carpeta/q4.log", "que no existe"),
        ("de otros datos.log", None),
        ("de otro programa.log", None),
        ("nada://", "que no se puede abrir como ese estudio"),
        ("sqlite:///resultados.json", "que no se puede abrir como ese estudio (DatabaseError)"),
        ("sqlite:///facturas.db", "que no se puede abrir como ese estudio (LookupError)"),
        ("sqlite:///sin/carpeta/q4.db", "que no se puede abrir como ese estudio (OperationalError)"),
        ("postgresql+psycopg://yo:secreto@127.0.0.1:1/base", "que no se puede abrir como ese estudio"),
    ],
)
def test_what_is_not_the_study_is_refused_and_left_as_it_was(storage, why, images_path, others):
    """Un archivo ajeno, otro estudio, otros datos, una carpeta mal escrita: una frase, y no se toca ni se crea nada."""
    before = few.contents(others.parent)
    sentence = refused("--storage", storage, "--data-path", images_path)
    if why:
        assert sentence.startswith(f"storage: se recibió {storage.replace('yo:secreto', '…')!r}, {why}")
        assert "se admite su archivo, otro que no exista en una carpeta que sí o la URL de una base" in sentence
    else:
        assert sentence == "data_path: el estudio 'q4' de ese almacén es de otros datos; se admite otro almacén."
    assert few.contents(others.parent) == before


def test_opening_never_creates(images, here):
    """Sin pedir que se cree, un estudio que no está es un error, en un archivo y en una base de datos."""
    for storage in (here / "q4.log", "sqlite:///q4.db"):
        with pytest.raises(ValueError, match=r"^storage: se recibió .*q4"):
            open_study("q4", storage, images)
    assert few.contents(here) == {}


def test_opening_never_writes(done, images, small):
    """Abrir un estudio no escribe en él, aunque le quede una línea a medias; seguirlo con otros datos se rechaza."""
    done.write_bytes(done.read_bytes() + b'{"op_co')
    before = few.contents(done.parent)
    for data in (images, None):
        assert count(open_study("q4", done, data)) == 3
    assert count(new("q4", done, images)) == 3
    with pytest.raises(ValueError, match="data_path: el estudio 'q4' de ese almacén es de otros datos"):
        open_study("q4", done, small)
    assert few.contents(done.parent) == before


def test_a_new_file_holds_its_study_from_the_start(images, here):
    """Un diario nuevo tiene ya el estudio y sus datos, y no queda nada más; lo mismo, en una base de datos."""
    for storage in (here / "q4.log", f"sqlite:///{here / 'q4.db'}"):
        assert new("q4", storage, images).user_attrs == {"data": images.digest}
        assert open_study("q4", storage).user_attrs == {"data": images.digest}
    assert sorted(few.contents(here)) == ["q4.db", "q4.log"]
    assert len((here / "q4.log").read_text(encoding="utf-8").splitlines()) == 2


def test_command_follows_the_published_study_from_anywhere(untrained, images_path, here, capsys):
    """Sin almacén se sigue el estudio publicado, no uno vacío de la carpeta en la que se está, y se dice cuánto hay."""
    options = ["--data-path", str(images_path), "--n-trials", "2"]
    main([*options, "--timeout", "1e-9"])
    assert capsys.readouterr().out == "q4: 0 ensayos terminados.\n"
    main(options)
    study = open_study("q4", reading.STUDIES_PATH / "q4.log")
    output, best = capsys.readouterr(), min(trial.value for trial in study.trials)
    assert output.out == f"q4: 2 ensayos terminados; la menor pérdida de validación, {number(best)}.\n"
    assert "2/2" in output.err
    assert few.contents(here) == {}


def test_command_asks_for_a_storage_where_nothing_is_published(untrained, images_path, here):
    """Donde el paquete no está en su repositorio no hay estudios: se pide otro almacén, y con él se sigue."""
    reading.STUDIES_PATH.rmdir()
    options = ["--data-path", images_path, "--n-trials", "1"]
    assert f"{reading.STUDIES_PATH / 'q4.log'}', que no existe, y se admite" in refused(*options)
    assert few.contents(here.parent) == {"otra": False}
    main([*map(str, options), "--storage", "mío.log"])
    assert count(open_study("q4", here / "mío.log")) == 1


# ------------------------------------------------------------------------------- un disco lleno o de solo lectura


@pytest.fixture
def limit():
    """Deja que ningún archivo pase de tantos bytes, como en un disco lleno."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda n: resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 60])
def test_a_full_disk_leaves_everything_as_it_was(room, done, images_path, limit):
    """Si no cabe ni una línea más, se dice en una frase, y en el diario no queda media; con sitio, sigue."""
    before, options = few.contents(done.parent), ["--storage", done, "--data-path", images_path, "--n-trials", "4"]
    limit(done.stat().st_size + room)
    sentence = refused(*options)
    assert sentence.startswith(f"storage: se recibió '{done}', ")
    assert "donde no cabe más" in sentence or "OSError" in sentence
    assert few.contents(done.parent) == before
    limit(resource.RLIM_INFINITY)
    main([*map(str, options)])
    assert count(open_study("q4", done)) == 4
    assert done.read_bytes().startswith(before["q4.log"])


def test_a_full_disk_leaves_no_new_file(images_path, here, limit):
    """Un estudio que no cabe ni al empezarlo no deja nada."""
    limit(10)
    assert refused("--storage", "nuevo.log", "--data-path", images_path).startswith("storage: se recibió 'nuevo.log', ")
    assert few.contents(here) == {}


@pytest.mark.parametrize("name", ["q4.log", "nuevo.log"])
def test_a_read_only_disk_gets_one_sentence(name, done, images_path, monkeypatch):
    """Donde no se puede escribir se dice en una frase, haya ya un estudio o no, y todo sigue como estaba."""

    def read_only(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    before, real = few.contents(done.parent), os.open
    monkeypatch.setattr(os, "mkdir", read_only)  # se mira así porque root escribe donde quiere
    monkeypatch.setattr(
        os, "open", lambda path, *rest, **more: (read_only if ".lock" in str(path) else real)(path, *rest, **more)
    )
    sentence = refused("--storage", done.with_name(name), "--data-path", images_path, "--n-trials", "9")
    assert sentence.startswith(f"storage: se recibió '{done.with_name(name)}', que es de solo lectura, y se admite")
    monkeypatch.undo()
    assert few.contents(done.parent) == before


# ------------------------------------------------------------------------------------- lo que guarda un estudio


def test_study_stops_at_its_trials(untrained, images, tmp_path, monkeypatch):
    """`n_trials` cuenta todos los que hay: repetir no añade ninguno ni escribe; los diseñados van primero."""
    designed = [{"dropout": rate, "log10_alpha_l1": -3.0, "log10_alpha_l2": -8.5} for rate in (0.4, 0.1)]
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(designed=lambda: designed))
    path = tmp_path / "q4.log"
    study = new("q4", path, images)
    for n_trials in (3, 3, 2, 4):
        search(study, images, n_trials=n_trials, bar=False)
        assert len(finished(study)) == max(n_trials, 3)
    assert [trial.params for trial in study.trials[:2]] == designed
    assert len(set(all_params(study.trials))) == 4
    written = path.read_bytes()
    search(open_study("q4", path, images), images, n_trials=4, bar=False)
    assert path.read_bytes() == written


@pytest.mark.parametrize("n_trials", [1, 4, 100])
def test_a_grid_is_always_finished(n_trials, untrained, images, tmp_path):
    """Una rejilla acaba con sus ensayos diseñados, en su orden y con su semilla, se pidan los que se pidan."""
    study = new("q4-rejilla", tmp_path / "rejilla.log", images)
    search(study, images, n_trials=n_trials, bar=False)
    assert [trial.params for trial in study.trials] == few.GRID
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert len({trial.value for trial in study.trials}) == len(few.GRID)


@pytest.mark.parametrize("tested", [True, False])
def test_only_where_nothing_is_chosen_the_test_is_measured(tested, untrained, images, tmp_path, monkeypatch):
    """De las imágenes de prueba se apunta algo en los estudios que lo dicen, y nada en los que eligen."""
    assert not [name for name in SPACES if name.startswith("q") and SPACES[name].tested]  # los que eligen
    monkeypatch.setitem(SPACES, "q4-rejilla", SPACES["q4-rejilla"]._replace(tested=tested))
    study = new("q4-rejilla", tmp_path / "rejilla.log", images)
    search(study, images, n_trials=4, bar=False)
    for trial in study.trials:
        measured = trial.user_attrs.keys() & {"test_loss", "test_accuracy", "ece", "errors"}
        assert len(measured) == (4 if tested else 0)


def test_a_grid_trains_nothing_that_was_not_designed(untrained, images, tmp_path, monkeypatch):
    """Si al pedir trabajo no queda ninguno en espera, porque otro proceso se adelantó, no se sortea ningún ensayo."""
    study = new("q4-rejilla", tmp_path / "rejilla.log", images)
    monkeypatch.setattr(run, "MaxTrialsCallback", lambda *_: lambda study, trial: trial.number < 3 or study.stop())
    monkeypatch.setattr(run, "_requeue", lambda study, _=None: None)  # aún no ve que falte ninguno
    search(study, images, n_trials=4, bar=False)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 4
    monkeypatch.undo()


def test_trials_keep_what_was_measured(images, tmp_path, monkeypatch):
    """Entrenado otra vez con su semilla, un ensayo de rejilla repite su historia, su valor y su exactitud."""
    space = few.few("q3", 4, [{"hidden_sizes": "10", "seed": 1002}, {"hidden_sizes": "10", "seed": 1000}])
    monkeypatch.setitem(SPACES, "q3", space)
    study = new("q3", tmp_path / "q3.log", images)
    search(study, images, n_trials=1, bar=False)
    training, _ = proposed("q3", FixedTrial({"hidden_sizes": "10"}), images)
    again = train_all({"": training}, images, [1002, 1000])[""]
    assert [trial.params["seed"] for trial in study.trials] == [1002, 1000]
    for trial, other in zip(study.trials, again, strict=True):
        kept, senses = trial.user_attrs["history"], ("", "train_", "val_")
        assert kept.keys() == {sense + metric for sense in senses for metric in ("loss", "accuracy")}
        for name, values in kept.items():
            assert values == pytest.approx(other.history[name], rel=5e-5)  # cinco cifras
        assert trial.value == other.best("val_loss") == min(other.history["val_loss"])
        assert trial.user_attrs["val_accuracy"] == other.best("val_accuracy")
        assert trial.user_attrs["parameters"] == training.model.count_params() == 785 * 10 + 11 * 10
        assert trial.user_attrs["trained"] == fingerprint(training)
        assert trial.user_attrs["versions"].keys() == {"keras", "tensorflow"}
        assert trial.user_attrs["process"] == {"machine": run.MACHINE, "pid": os.getpid()}
        assert trial.intermediate_values == {}
    assert study.trials[0].value != study.trials[1].value


def test_searching_trials_train_with_the_first_searching_seed(images, tmp_path, monkeypatch):
    """Un ensayo de Q4 entrena con la semilla 1000: su curva, época a época, es la de esa semilla y no otra."""
    monkeypatch.setitem(SPACES, "q4", few.few("q4", 3))
    study = new("q4", tmp_path / "q4.log", images)
    search(study, images, n_trials=1, seed=0, bar=False)
    [trial] = study.trials
    training, _ = proposed("q4", FixedTrial(trial.params), images)
    [again] = train_all({"": training}, images, [SEARCHING[0]])[""]
    assert SEARCHING[0] == 1000
    assert list(trial.intermediate_values.items()) == list(enumerate(again.history["val_loss"], 1))
    assert trial.value == again.best("val_loss")
    assert trial.user_attrs["history"].keys() == {"val_loss", "val_accuracy"}


def test_least_loss_counts_though_it_is_not_the_last(images, tmp_path, monkeypatch):
    """De un ensayo que sobreajusta, el valor y la exactitud son los de su mejor época; su receta repite la curva."""
    hasty = NOISY | {"noise": 0.0, "noise_hidden": 0.0, "batch_norm": False}
    hasty |= {"schedule": "constante", "batch_size": 64, "learning_rate": 1e-2}
    monkeypatch.setitem(SPACES, "q5", few.few("q5", 20, [hasty]))
    study = new("q5", tmp_path / "q5.log", images)
    search(study, images, n_trials=1, bar=False)
    [trial] = finished(study)
    curve = list(trial.intermediate_values.values())
    assert 0 < np.argmin(curve) < len(curve) - 1
    assert trial.value == min(curve)
    row = trials_table(study).iloc[0]
    assert (row["best_epoch"], row["epochs"]) == (np.argmin(curve) + 1, 20)
    assert row["val_loss"] == pytest.approx(min(curve), rel=5e-5)
    recipe = reading.recipe(study.trials[0], images)[1]
    [again] = train_all({"": recipe.training(images, train_metrics=False)}, images, SEARCHING[:1])[""]
    assert again.history["val_loss"] == curve
    assert again.best("val_accuracy") == trial.user_attrs["val_accuracy"]
    assert again.model.count_params() == trial.user_attrs["parameters"] == recipe.build(images).count_params()


def test_pruned_trials_keep_their_curve(untrained, images, tmp_path, monkeypatch):
    """Un ensayo podado cuenta como terminado, con su curva hasta la poda y la menor de sus pérdidas."""
    pruner = optuna.pruners.ThresholdPruner(upper=1e-9, n_warmup_steps=3)
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(pruner=pruner))
    study = new("q4", tmp_path / "q4.log", images)
    search(study, images, n_trials=2, bar=False)
    trials = finished(study)
    assert [trial.state for trial in trials] == [TrialState.PRUNED] * 2
    assert [list(trial.intermediate_values) for trial in trials] == [[1, 2, 3]] * 2
    table = trials_table(study)
    assert table["pruned"].all()
    assert sorted(table["val_loss"]) == sorted(min(trial.intermediate_values.values()) for trial in trials)
    assert (table["epochs"] == 3).all()


def test_diverging_trials_are_pruned(images, tmp_path, monkeypatch):
    """Una pérdida que deja de ser finita no detiene el estudio: el ensayo cuenta como podado."""
    monkeypatch.setitem(SPACES, "q4", few.few("q4", 2))
    poisoned = dataclasses.replace(images, x_train=np.full_like(images.x_train, np.nan))
    study = new("q4", tmp_path / "q4.log", poisoned)
    search(study, poisoned, n_trials=1, bar=False)
    assert [trial.state for trial in finished(study)] == [TrialState.PRUNED]
    assert all(math.isnan(value) for value in trials_table(study)["val_loss"])


def test_seed_decides_what_is_tried(untrained, images, tmp_path):
    """Con una semilla se prueba lo mismo, se corte o no; con otra, otra cosa."""
    tried = {}
    for name, seed, steps in (("seguido", 5, [3]), ("cortado", 5, [1, 2, 3]), ("otra", 6, [3])):
        for n_trials in steps:
            study = new("q4", tmp_path / f"{name}.log", images)
            search(study, images, n_trials=n_trials, seed=seed, bar=False)
        tried[name] = all_params(study.trials)
    assert tried["seguido"] == tried["cortado"]
    assert len(set(tried["seguido"])) == 3
    assert not set(tried["seguido"]) & set(tried["otra"])


STALE = "storage: los ensayos de ese estudio 'q4-rejilla' ya no son los que se proponen; se admite otro."


@pytest.mark.parametrize("changed", ["la receta", "los diseñados", "los parámetros", None])
def test_a_stale_study_is_refused_and_left_as_it_was(changed, untrained, images, images_path, tmp_path, monkeypatch):
    """Si ya no se propone lo que un ensayo entrenó, el estudio no se sigue ni se toca; si es lo mismo, sí."""
    path, space = tmp_path / "rejilla.log", SPACES["q4-rejilla"]
    search(new("q4-rejilla", path, images), images, n_trials=1, bar=False)
    if changed == "la receta":
        monkeypatch.setitem(SPACES, "q4-rejilla", few.few("q4-rejilla", 6))
    elif changed == "los diseñados":
        monkeypatch.setitem(SPACES, "q4-rejilla", space._replace(designed=lambda: few.GRID[1:]))
    elif changed == "los parámetros":
        asks = lambda trial, data: trial.suggest_float("otro", 0, 1) and space.suggest(trial, data)  # noqa: E731
        monkeypatch.setitem(SPACES, "q4-rejilla", space._replace(suggest=asks))
    before, options = few.contents(tmp_path), ["--study", "q4-rejilla", "--storage", path, "--data-path", images_path]
    if changed:
        assert refused(*options) == STALE
    else:
        main([*map(str, options)])
    assert few.contents(tmp_path) == before


# ---------------------------------------------------------------------------------------------------- los cortes


def test_interrupted_trial_is_tried_again(untrained, images_path, tmp_path, monkeypatch):
    """Con Control-C se acaba con una frase, y la vez siguiente se repite el ensayo cortado."""
    path, report = tmp_path / "q4.log", optuna.Trial.report

    def interrupt(trial, value, step):
        report(trial, value, step)
        if (trial.number, step) == (2, 3):
            raise KeyboardInterrupt

    monkeypatch.setattr(optuna.Trial, "report", interrupt)
    options = ["--storage", str(path), "--n-trials", "4", "--data-path", str(images_path)]
    assert refused(*options) == "Cortado: la misma orden sigue donde se quedó."
    main(options)
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
def test_half_a_line_is_set_aside(done, images, dead_pid, kept):
    """Un diario cortado al escribir su última línea sigue, sin perder ningún ensayo, y lo que sobra queda aparte."""
    mine = f'"pid":{os.getpid()}'.encode()
    *lines, last = done.read_bytes().replace(mine, f'"pid":{dead_pid}'.encode()).splitlines(keepends=True)
    whole, half = b"".join(lines), last[:kept]
    done.write_bytes(whole + half)
    before = finished(open_study("q4", done))
    assert len(before) == 2  # la línea cortada era el final del tercero
    search(open_study("q4", done, images), images, n_trials=4, bar=False)
    study = open_study("q4", done)
    assert finished(study)[:2] == before
    assert study.trials[2].state == TrialState.FAIL
    assert len(set(all_params(finished(study)))) == len(finished(study)) == 4
    assert done.read_bytes().startswith(whole)
    assert [json.loads(line) for line in done.read_text().splitlines()]
    assert sorted(few.contents(done.parent)) == ["q4.log", "q4.log.cortado"]
    aside = done.with_name("q4.log.cortado")
    assert aside.read_bytes() == half + b"\n"
    done.write_bytes(done.read_bytes() + b"otra")
    search(open_study("q4", done, images), images, n_trials=5, bar=False)
    assert aside.read_bytes() == half + b"\notra\n"
    assert count(open_study("q4", done)) == 5


def test_stale_lock_is_released(done, images, monkeypatch):
    """El cerrojo que dejó un proceso muerto se suelta solo a los diez segundos, que aquí son dos décimas."""
    asked, init = set(), JournalFileOpenLock.__init__

    def quick(self, path, grace_period):
        asked.add(grace_period)
        init(self, path, grace_period=0.2)

    monkeypatch.setattr(JournalFileOpenLock, "__init__", quick)
    monkeypatch.chdir(done.parent)  # la ruta es relativa
    done.with_name("q4.log.lock").touch()
    search(open_study("q4", "q4.log", images), images, n_trials=4, bar=False)
    assert asked == {10}
    assert count(open_study("q4", "q4.log")) == 4
    assert list(few.contents(done.parent)) == ["q4.log"]


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
def test_only_orphans_are_tried_again(mine, same_machine, age, state, untrained, images, dead_pid, tmp_path):
    """Se repite el ensayo de un proceso muerto de esta máquina; el de uno vivo o de otra, solo pasado un día."""
    study = new("q4", tmp_path / "q4.log", images)
    owner = {"machine": run.MACHINE if same_machine else "otra", "pid": os.getpid() if mine else dead_pid}
    params = {"dropout": 0.25, "log10_alpha_l1": -4.0, "log10_alpha_l2": -7.0}
    orphan = optuna.trial.create_trial(
        state=TrialState.RUNNING, system_attrs={"fixed_params": params}, user_attrs={"process": owner}
    )
    birth = datetime.fromtimestamp(psutil.Process().create_time())
    orphan.datetime_start = birth - timedelta(hours=1) if age is None else datetime.now() - age
    study.add_trial(orphan)
    search(study, images, n_trials=2, bar=False)
    assert study.trials[0].state == state
    tried_again = tuple(sorted(params.items())) in all_params(finished(study))
    assert tried_again is (state == TrialState.FAIL)
    assert len(finished(study)) == (2 if tried_again else 1)  # el que está en marcha ocupa su puesto


def test_late_trials_do_not_count(untrained, images, tmp_path, monkeypatch):
    """Aunque dos procesos pongan en espera lo mismo o empiecen uno de más, ni se repite un ensayo ni sobra ninguno."""
    designed = [{"dropout": rate, "log10_alpha_l1": -3.0, "log10_alpha_l2": -8.5} for rate in (0.4, 0.1)]
    monkeypatch.setitem(SPACES, "q4", SPACES["q4"]._replace(designed=lambda: designed))
    study = new("q4", tmp_path / "q4.log", images)
    for params in (*designed, *designed):
        study.enqueue_trial(params)
    # No ve a tiempo que ya están todos, y empieza dos de más.
    monkeypatch.setattr(run, "MaxTrialsCallback", lambda *_: lambda study, trial: trial.number < 6 or study.stop())
    search(study, images, n_trials=3, bar=False)
    assert [trial.number for trial in study.trials if trial.state == TrialState.FAIL] == [2, 3, 5, 6]
    assert len(finished(study)) == 3
    assert len(set(all_params(finished(study)))) == 3
    assert [trial.params for trial in finished(study)[:2]] == designed
