"""Abre un estudio: un diario de Optuna en un archivo, o una base de datos."""

import os
import re
import time
import warnings
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from tarea4.data import Dataset
from tarea4.search.spaces import SPACES

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
optuna.logging.set_verbosity(optuna.logging.ERROR)  # en inglés, y una línea por ensayo
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # lo son el latido y su comprobación


class _Lock(JournalFileOpenLock):
    """El cerrojo del diario, que se suelta solo a los diez segundos de morir quien lo tenía.

    Al tomarlo quita la última línea si un corte la dejó a medias: Optuna escribiría detrás, y nadie leería lo demás.
    """

    def __init__(self, journal: Path):
        super().__init__(str(journal), grace_period=10)
        self.journal = journal

    def acquire(self) -> bool:
        acquired = super().acquire()
        with self.journal.open("rb+") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            if file.read() not in (b"", b"\n"):
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return acquired


def open_storage(storage: str | Path | optuna.storages.BaseStorage) -> optuna.storages.BaseStorage:
    """El almacén de un archivo, que se crea si no existe, o de la URL de una base de datos; si ya lo es, el mismo."""
    if isinstance(storage, optuna.storages.BaseStorage):
        return storage
    if "://" in str(storage):
        return _database(str(storage))
    path = Path(storage)
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.storages.JournalStorage(JournalFileBackend(str(path), _Lock(path)))


def _database(url: str, attempts: int = 3) -> optuna.storages.RDBStorage:
    try:
        return optuna.storages.RDBStorage(url, heartbeat_interval=15, grace_period=45)
    except (sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError):
        if attempts == 1:
            raise
        time.sleep(1)  # dos procesos que estrenan la base a la vez chocan al crear las tablas
        return _database(url, attempts - 1)


def open_study(
    name: str, storage: str | Path | optuna.storages.BaseStorage, data: Dataset | None = None
) -> optuna.Study:
    """Abre un estudio, o lo crea; uno que ya existe no se modifica.

    `name` es una clave de `SPACES`, y `storage`, el archivo de un diario de Optuna, la URL de una base de datos o un
    almacén abierto. Si se dan los datos, se comprueba que el estudio es suyo, y uno nuevo queda ligado a ellos.

    Raises
    ------
    ValueError
        Si el almacén no se puede abrir o el estudio es de otros datos.

    References
    ----------
    T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework", KDD 2019.
    """
    options = {"study_name": name, "pruner": SPACES[name].pruner}
    try:
        options["storage"] = backend = open_storage(storage)
        # `create_study` anota en el diario también cuando el estudio ya existe.
        exists = name in optuna.get_all_study_names(backend)
        study = optuna.load_study(**options) if exists else optuna.create_study(**options, load_if_exists=True)
    except Exception as error:  # los de cada base de datos son suyos, y en inglés
        shown = re.sub("//.*@", "//…@", str(storage))
        raise ValueError(
            f"storage: se recibió {shown!r}, que no se puede abrir ({type(error).__name__}), y se admite el archivo de "
            "un diario o la URL de una base de datos, como postgresql+psycopg://usuario@máquina/base."
        ) from error
    if data and study.user_attrs.get("data", data.digest) != data.digest:
        raise ValueError(f"data_path: el estudio {name!r} de ese almacén es de otros datos; se admite otro almacén.")
    if data and "data" not in study.user_attrs:
        study.set_user_attr("data", data.digest)
    return study


def count(study: optuna.Study, states: tuple[TrialState, ...] = FINISHED) -> int:
    """Cuántos ensayos de un estudio están en uno de esos estados."""
    return len(study.get_trials(deepcopy=False, states=states))
