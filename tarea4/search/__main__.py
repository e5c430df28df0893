"""python -m tarea4.search [opciones] sigue un estudio de hiperparámetros hasta que tenga los ensayos pedidos.

Se puede cortar y repetir cuando se quiera, y correr a la vez en varios procesos o máquinas que compartan el almacén.
"""

import argparse
import math
import os
import sys
from typing import Literal

# Un ensayo entrena una sola red, y los núcleos se reparten entre procesos: con un hilo por operación gasta menos.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # antes de importar TensorFlow, que solo lo lee al empezar

from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from pydantic import BaseModel

from tarea4.data import load
from tarea4.report.parameters import Common, Integer, Path, Positive, Seed, check_parameters, meaning
from tarea4.report.words import number, plural
from tarea4.search import reading
from tarea4.search.run import count, open_study, refusal, search
from tarea4.search.stages import SPACES


class Search(BaseModel):
    """Opciones de la orden, con sus valores por omisión."""

    model_config = Common.model_config
    study: Literal[*SPACES] = meaning("estudio que se sigue", "q4")
    n_trials: Integer = meaning("ensayos que debe acabar teniendo; una rejilla, todos los suyos", 100, ge=1, le=100_000)
    timeout: Positive | None = meaning("segundos tras los que no se empieza otro; sin ellos, no hay límite", None)
    storage: str = meaning("archivo del diario o URL de una base de datos; sin él, el estudio publicado", "")
    seed: Seed | None = meaning("semilla del muestreador; sin ella, una distinta cada vez", None)
    data_path: Path = meaning("archivo o carpeta con otros datos; sin él, MNIST", None)


def main(arguments: list[str] | None = None) -> None:
    """Sigue un estudio desde la terminal; sin `--storage`, el publicado, se llame desde la carpeta que se llame."""
    in_spanish = {"usage": argparse.SUPPRESS, "description": __doc__, "add_help": False, "exit_on_error": False}
    parser = argparse.ArgumentParser(**in_spanish, allow_abbrev=False)
    options = parser.add_argument_group("opciones")
    options.add_argument("--help", "-h", action="help", help="muestra esta ayuda")
    flags = {name: f"--{name.replace('_', '-')}" for name in Search.model_fields}
    for name, field in Search.model_fields.items():
        note = f" (por omisión, {field.default})" if field.default else ""
        options.add_argument(flags[name], default=field.default, metavar="VALOR", help=field.description + note)
    try:
        given, unknown = parser.parse_known_args(arguments)
        if unknown:
            raise ValueError(f"opción desconocida '{unknown[0]}': se admiten {', '.join(flags.values())}.")
        p = check_parameters(vars(given), Search)
        storage, data = p.storage or reading.STUDIES_PATH / f"{p.study}.log", load(p.data_path)
        study = open_study(p.study, storage, data, create=True)
        search(study, data, n_trials=p.n_trials, timeout=p.timeout or math.inf, seed=p.seed)
    except argparse.ArgumentError as error:
        sys.exit(f"{error.argument_name}: falta su valor.")
    except KeyboardInterrupt:
        sys.exit("Cortado: la misma orden sigue donde se quedó.")
    except (ValueError, FileNotFoundError) as error:  # de las opciones, de los datos o de lo que ya hay
        sys.exit(str(error))
    except (OSError, StorageInternalError) as error:
        sys.exit(refusal(storage, error))
    losses = [trial.value for trial in study.get_trials(states=(TrialState.COMPLETE,))]
    best = f"; la menor pérdida de validación, {number(min(losses))}" if losses else ""
    print(f"{p.study}: {plural(count(study), 'ensayo terminado', 'ensayos terminados')}{best}.")


if __name__ == "__main__":
    main()
