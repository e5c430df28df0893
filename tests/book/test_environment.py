"""El entorno: constraints.txt fija todo lo que se instala, y las órdenes de make sirven desde cualquier carpeta."""

import importlib.metadata
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def listed(name):
    """Los requisitos de un archivo que valen en este Python, por nombre."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line.split(" #")[0]) for line in lines if line[:1].isalnum()]
    return {canonicalize_name(r.name): r for r in requirements if not r.marker or r.marker.evaluate()}


def needed(names):
    """Todo lo que piden unos paquetes instalados, y lo que piden a su vez."""
    found, pending = set(), {(name, extra) for name, extras in names.items() for extra in ("", *extras)}
    while pending:
        name, extra = pending.pop()
        found.add((name, extra))
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            if not requirement.marker or requirement.marker.evaluate({"extra": extra}):
                wanted = {(canonicalize_name(requirement.name), each) for each in ("", *requirement.extras)}
                pending |= wanted - found
    return {name for name, _ in found}


def test_every_installed_version_is_pinned():
    """Cada paquete que piden requirements.txt y tarea4, y los que piden esos, tiene en constraints.txt su versión."""
    direct, pinned = listed("requirements.txt"), listed("constraints.txt")
    packages = needed({name: requirement.extras for name, requirement in direct.items()} | {"tarea4": []}) - {"tarea4"}
    assert len(packages) > len(direct)
    for name in sorted(packages):
        assert str(pinned[name].specifier) == f"=={importlib.metadata.version(name)}", name
    assert all(str(direct[name].specifier) == str(pinned[name].specifier) for name in direct)


def test_make_runs_in_any_folder(tmp_path):
    """Desde una carpeta con espacios y letras que no son ASCII, make prepara las mismas órdenes."""
    copy = tmp_path / "mi copia ñandú"
    ignored = shutil.ignore_patterns(".venv*", ".git", "_build", "*.npz", "estudios", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)
    options = {"capture_output": True, "text": True, "check": True, "env": os.environ | {"CERROJO": "echado"}}
    plans = [subprocess.run(["make", "-n", "libro"], cwd=folder, **options).stdout for folder in (ROOT, copy)]
    for line in plans[0].replace(str(ROOT), str(copy)).splitlines():
        assert line in plans[1]


PYTHONS = {  # lo que hay en la máquina, y con qué se hace el entorno
    "el primero vale": ({"python3": 0, "python3.12": 0}, '"python3" -m venv'),
    "solo vale otro": ({"python3": 1, "python3.13": 127, "python3.11": 0}, '"python3.11" -m venv'),
    "ninguno, pero está uv": ({"python3": 1, "uv": 0}, '"/traído/por/uv" -m venv'),
}


def machine(folder, commands):
    """Una máquina con esas órdenes, que terminan con esos códigos, y las demás herramientas de siempre."""
    folder.mkdir()
    for name, code in commands.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n[ {name} = uv ] && [ $2 = find ] && echo /traído/por/uv\nexit {code}\n")
        path.chmod(0o755)
    for name in ("make", "sh"):
        (folder / name).symlink_to(shutil.which(name))
    return {name: value for name, value in os.environ.items() if name != "PYTHON"} | {"PATH": str(folder)}


@pytest.mark.parametrize("case", PYTHONS)
def test_make_finds_a_python(case, tmp_path):
    """Si `python3` no vale, make toma el primero de los otros que vale, o el que trae uv."""
    commands, expected = PYTHONS[case]
    environment = machine(tmp_path / "bin", commands) | {"CERROJO": "echado"}
    plan = subprocess.run(
        ["make", "-n", "-W", "requirements.txt", "entorno"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert expected in plan.stdout


def test_no_python_is_said(tmp_path):
    """Donde no hay ninguno que valga, ni uv, make lo dice y no hace nada."""
    environment = machine(tmp_path / "bin", {"python3": 1})
    environment.pop("CERROJO", None)
    made = subprocess.run(["make", "entorno"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode
    assert "Hace falta Python 3.11, 3.12 o 3.13" in made.stderr
