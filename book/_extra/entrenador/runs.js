// «Entrena tú», los entrenamientos hechos: se resumen, se guardan en el navegador y se enseñan en una tabla.
const STORE = "tarea4.entrena", MAX_RUNS = 20, MAX_LAID_OVER = 2;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values) => Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));
const METRICS = ["train_loss", "val_loss", "train_accuracy", "val_accuracy"];

// Las curvas medias de varias semillas y su franja, de la menor a la mayor.
function summarise(histories) {
  const each = (metric, summary) => histories[0].map((_, i) => summary(histories.map((history) => history[i][metric])));
  const over = (summary) => Object.fromEntries(METRICS.map((metric) => [metric, each(metric, summary)]));
  const low = over((values) => Math.min(...values)), high = over((values) => Math.max(...values));
  const bands = Object.fromEntries(METRICS.map((metric) => [metric, { low: low[metric], high: high[metric] }]));
  return { curves: over(mean), bands: histories.length > 1 ? bands : null };
}

// Lo que se guarda de un entrenamiento con una semilla o con varias.
function makeRun(settings, seeds, results, seconds) {
  const best = results.map(({ history, bestEpoch, test }) => ({ ...history[bestEpoch - 1], epoch: bestEpoch, test: test.best }));
  return {
    settings, seeds, seconds, epochs: results[0].history.length, parameters: results[0].parameters,
    ...summarise(results.map(({ history }) => history)),
    figures: {
      val_loss: best.map((one) => one.val_loss), val_accuracy: best.map((one) => one.val_accuracy),
      test_loss: best.map((one) => one.test.loss), test_accuracy: best.map((one) => one.test.accuracy),
      epoch: best.map((one) => one.epoch),
    },
  };
}

// Lo guardado puede faltar, estar prohibido o no ser nuestro: entonces no hay nada.
function readRuns() {
  try {
    const runs = JSON.parse(localStorage.getItem(STORE));
    return Array.isArray(runs) ? runs.filter(sound).slice(0, MAX_RUNS) : [];
  } catch {
    return [];
  }
}

const sound = (run) => {
  const numbers = (values) => Array.isArray(values) && values.length > 0 && values.every(Number.isFinite);
  try {
    run.settings = parseSettings(formatSettings(run.settings));
    return numbers(run.seeds) && [run.seconds, run.epochs, run.parameters].every(Number.isFinite)
      && METRICS.every((name) => numbers(run.curves[name])) && ["val_loss", "val_accuracy", "test_loss", "test_accuracy", "epoch"].every((name) => numbers(run.figures[name]));
  } catch {
    return false;
  }
};

// Devuelve si se pudo guardar.
function writeRuns(runs) {
  const short = (name, value) => (typeof value === "number" && !Number.isInteger(value) && value > 1e-3 ? +value.toPrecision(6) : value);
  try {
    localStorage.setItem(STORE, JSON.stringify(runs.slice(0, MAX_RUNS), short));
    return true;
  } catch {
    return false;
  }
}

const spread = (values, write) => (values.length > 1 ? `${write(mean(values))} ± ${write(deviation(values))}` : write(values[0]));
const thousands = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, "\u00a0");

// La tabla de lo hecho; `actions.toggle`, `actions.remove` y `laidOver` dicen qué hay sobre la figura.
function showRuns(box, runs, laidOver, actions) {
  const headings = ["Red", "Imágenes", "Épocas (mejor)", "Semillas", "Pérdida de validación", "Exactitud de validación",
    "Pérdida de prueba", "Exactitud de prueba", "Segundos", "Sobre la figura", "Otra vez", "Quitar"];
  const rows = runs.map((run) => {
    const { settings, seeds, figures } = run, name = describe(settings);
    const check = Object.assign(document.createElement("input"), { type: "checkbox", checked: laidOver.includes(run) });
    check.setAttribute("aria-label", `Dibujar ${name}, semilla ${seeds.join(", ")}`);
    check.onchange = () => actions.toggle(run);
    const link = Object.assign(document.createElement("a"), { href: `#${formatSettings({ ...settings, seed: seeds[0] })}`, textContent: "Ponerlo" });
    link.setAttribute("aria-label", `Ponerlo: ${name}, semilla ${seeds[0]}`);
    const remove = Object.assign(document.createElement("button"), { type: "button", className: "btn", textContent: "Quitar" });
    remove.setAttribute("aria-label", `Quitar ${name}, semilla ${seeds.join(", ")}`);
    remove.onclick = () => actions.remove(run);
    return [`${name} (${thousands(run.parameters)} parámetros)`, thousands(settings.images), `${run.epochs} (${figures.epoch.join(", ")})`, seeds.join(", "),
      spread(figures.val_loss, (value) => decimal(value, 3)), spread(figures.val_accuracy, percent),
      spread(figures.test_loss, (value) => decimal(value, 3)), spread(figures.test_accuracy, percent),
      decimal(run.seconds, 1), check, link, remove];
  });
  box.replaceChildren(makeTable(headings, rows, "Lo que has entrenado, en la época de menor pérdida de validación"));
}
