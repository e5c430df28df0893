"""El cerrojo de una carpeta: ``python3 tools/lock.py ORDEN ...`` la ejecuta si no hay otra en esta carpeta.

No deja archivos, y el sistema lo suelta cuando acaba el último proceso que lo tiene, también si lo matan.
"""

import contextlib
import fcntl
import os
import sys


@contextlib.contextmanager
def hold(folder):
    """Mantiene echado el cerrojo de `folder`, y da su descriptor; si lo tiene otro proceso, BlockingIOError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    finally:
        os.close(descriptor)


def main(command):
    """Se convierte en la orden `command`, que hereda el cerrojo; o termina con una frase si está echado."""
    try:
        with hold(".") as descriptor:
            os.set_inheritable(descriptor, True)
            os.execvp(command[0], command)
    except BlockingIOError:
        sys.exit("Ya hay otro make en esta carpeta, o algo que dejó en marcha: espera a que termine.")


if __name__ == "__main__":
    main(sys.argv[1:])
