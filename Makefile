# libro (por omisión): entorno, Q1-Q5 sobre los datos completos y libro.  `make ayuda` lista los demás.
VALE := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))# los que admite TensorFlow 2.21
ifndef PYTHON # el primero que vale o, si no hay, uno que trae uv, donde está instalado
export PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(VALE)' 2>/dev/null && echo $$python && exit; done; \
	uv python install --quiet 3.13 2>/dev/null && uv python find 3.13)
endif
BIN := .venv/bin
CUADERNOS := $(patsubst %,book/q%.ipynb,5 4 1 3 2)# los más largos primero: dos a la vez acaban antes
REJILLAS := orden registro reparto q3 q4-rejilla q4-azar q4-finalistas q5-capas q5-finalistas atribucion mas-alla# unas parten de otras
INDICE := book/_build/html/index.html

.PHONY: libro entorno cuadernos html pdf captura test estudios bench mutantes constraints limpiar ayuda
.NOTPARALLEL:

ifndef CERROJO # dos make a la vez se estropearían el entorno y el libro: el segundo no empieza
.PHONY: $(MAKECMDGOALS)
$(or $(MAKECMDGOALS),libro):
	@test "$(PYTHON)" || { echo >&2 "Hace falta Python 3.11, 3.12 o 3.13, o uv, que lo trae: make PYTHON=/su/ruta."; exit 1; }
	@CERROJO=echado "$(PYTHON)" tools/lock.py $(MAKE) --no-print-directory $@
else

libro: cuadernos html ## entorno, cuadernos y libro

entorno: .venv/.instalado ## .venv con todo lo que pide requirements.txt
.venv/.instalado: requirements.txt constraints.txt pyproject.toml
	@"$(PYTHON)" -c '$(VALE)' || { echo >&2 \
		"Hace falta Python 3.11, 3.12 o 3.13, los que admite TensorFlow 2.21: make PYTHON=python3.12"; exit 1; }
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@

cuadernos: entorno ## ejecuta los cinco cuadernos, en su sitio
	$(BIN)/python tools/execute.py $(CUADERNOS)

html: entorno ## construye el libro con los resultados ya guardados
	@$(BIN)/jupyter-book build --all book/ || { echo >&2 \
		"El libro no se ha construido, por el error de arriba; los cuadernos siguen como estaban."; exit 1; }
	@echo "El libro está en $(CURDIR)/$(INDICE)"

pdf: html ## el informe en PDF, con el Chromium o el Chrome del sistema
	$(BIN)/python tools/pdf.py book/_build/html book/_build/html/informe.pdf
	@echo "El informe está en $(CURDIR)/book/_build/html/informe.pdf"

captura: html ## la imagen del README, con el mismo navegador
	$(BIN)/python tools/capture.py book/_build/html book/_static/captura.png

test: entorno ## estilo, pruebas, construcción estricta, repeticiones con otros parámetros y nbval
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n auto --dist worksteal --durations=10 tests
	$(BIN)/python -m pytest -n auto --dist loadfile --nbval --nbval-current-env $(CUADERNOS)

estudios: entorno ## acaba las rejillas de estudios/ que estén a medias, horas si falta todo; se puede cortar y repetir
	for study in $(REJILLAS); do $(BIN)/python -m tarea4.search --study $$study || exit; done

bench: entorno .venv-bench/.instalado ## compara la velocidad de entrenamiento y reescribe benchmarks/README.md
	PYTHONPATH=tools $(BIN)/python benchmarks/velocidad.py

.venv-bench/.instalado: benchmarks/requirements.txt
	"$(PYTHON)" -m venv .venv-bench
	.venv-bench/bin/python -m pip install --disable-pip-version-check -r benchmarks/requirements.txt
	touch $@

mutantes: entorno ## estropea el módulo, y lo que usan los cuadernos, y cuenta lo que las pruebas no notan; horas
	$(BIN)/python -m pip install --disable-pip-version-check --quiet mutmut==3.8.1
	mkdir -p mutants # Python no mira en una carpeta que no estaba cuando empezó
	PYTHONPATH=$(CURDIR)/mutants $(BIN)/mutmut run
	$(BIN)/mutmut results
	$(BIN)/python tests/mutants.py

constraints: entorno ## vuelve a resolver constraints.txt a partir de requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv==0.13.9
	sed -n '/^[a-z]/p' requirements.txt | $(BIN)/uv pip compile --universal --python-version 3.11 --upgrade \
		--no-annotate --custom-compile-command "make constraints" --quiet -o constraints.txt -

limpiar: ## borra lo que se puede volver a construir, salvo .venv
	rm -rf book/_build build mutants *.egg-info .pytest_cache .ruff_cache .coverage
	find . -path './.venv*' -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

ayuda: ## esta lista
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile
endif
