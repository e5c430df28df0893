"""Dónde se guarda un estudio: un diario de Optuna en un fichero, o una base de datos."""

import os
import time
import warnings
from pathlib import Path

import optuna
import sqlalchemy
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

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
    """El almacén de un fichero, que se crea si no existe, o de la URL de una base de datos; si ya lo es, el mismo."""
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
