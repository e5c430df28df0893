// «Entrena tú», la página: el formulario, los botones, lo que se dibuja y lo que se anuncia.
const page = document.getElementById("entrena"), form = page.querySelector("form"), find = (selector) => page.querySelector(selector);
const buttons = Object.fromEntries([...page.querySelectorAll("[data-action]")].map((button) => [button.dataset.action, button]));
const layers = [...page.querySelectorAll("[name=capa]")];
let settings = initialSettings(), runs = [], laidOver = [], current = null; // `current` es lo que se ve en negro o en blanco
let work = null, trainer = null; // `work` es lo que se está entrenando: { settings, seeds, done, history, paused... }

// ---- los ajustes, en el formulario y en la dirección

function fillForm() {
  layers.forEach((input, k) => (input.value = settings.sizes[k] ?? ""));
  form.normalise.checked = settings.normalise;
  for (const name of NUMBERS) form[name].value = settings[name];
  const { line, address, problem } = papermillLine(settings, same(current) ? current.seeds : [settings.seed]);
  find(".orden code").textContent = line ?? "";
  find(".orden pre").hidden = find(".al-formulario").hidden = !line;
  find(".al-formulario a").href = address ?? "formulario.html";
  find(".orden .problema").textContent = problem ?? "";
}

const same = (run) => run && formatSettings(run.settings) === formatSettings(settings);

// Lee el formulario, corrige lo que no se admite y lo dice.
function readForm() {
  const corrected = [], before = (name) => form[name].value.trim().replace(",", ".");
  for (const name of NUMBERS) {
    const value = Number(before(name)), { admit, label } = SCHEMA[name];
    settings[name] = before(name) !== "" && Number.isFinite(value) ? admit(value) : settings[name];
    if (before(name) === "" || settings[name] !== value) corrected.push(`${label}: ${decimal(settings[name])}`);
  }
  const sizes = layers.map((input) => Number(input.value)).filter((units) => units > 0).map(UNITS);
  if (sizes.length) settings.sizes = sizes;
  const units = layers.map((input) => input.value.trim()).filter(Boolean).join("-");
  if (units !== settings.sizes.join("-")) corrected.push(`capas: ${settings.sizes.join("-")}`);
  settings.normalise = form.normalise.checked;
  find(".corregido").textContent = corrected.length ? `Se ha corregido a lo que se admite: ${corrected.join("; ")}.` : "";
}

function adopt(text) {
  settings = parseSettings(text, settings);
  changed();
  find(".corregido").textContent = `Puesto: ${describe(settings)}; ${thousands(settings.images)} imágenes y ${settings.epochs} épocas.`;
}

function changed() {
  fillForm();
  try {
    history.replaceState(null, "", `#${formatSettings(settings)}`);
  } catch {} // la dirección no se puede escribir: el entrenamiento va igual
  draw();
}

// ---- entrenar

const announce = (text) => (find(".anuncio").textContent = text);
const say = (text) => (find(".estado span").textContent = text);

async function begin(seeds) {
  if (work) return;
  work = { settings: { ...settings }, seeds, results: [], history: [], paused: false, stopped: false, seconds: 0, announced: 0 };
  showButtons();
  find(".marcha").scrollIntoView(); // las curvas, a la vista mientras se dibujan
  say("Se cargan las imágenes…");
  try {
    work.data = await loadDigits();
  } catch {
    finish("No se han podido cargar las imágenes: comprueba que está la carpeta entrenador, o que hay conexión, y vuelve a probar.");
    return;
  }
  if (!trainer) {
    trainer = startTrainer(hear);
    trainer.send({ command: "data", data: work.data });
  }
  announce("Empieza el entrenamiento.");
  next();
}

function next() {
  work.history = [];
  trainer.send({ command: "start", settings: { ...work.settings, seed: work.seeds[work.results.length] } });
}

const HEAR = {
  epoch({ measured }) {
    work.history.push(measured);
    draw();
  },
  progress({ fraction, seconds }) {
    const whole = (work.results.length + fraction) / work.seeds.length, spent = work.seconds + seconds;
    find("progress").value = whole;
    const seed = work.seeds.length > 1 ? `Semilla ${work.results.length + 1} de ${work.seeds.length}, época` : "Época";
    const epoch = `${seed} ${Math.min(work.history.length + 1, work.settings.epochs)} de ${work.settings.epochs}`;
    const left = spent > 0.5 ? `; faltan unos ${Math.ceil((spent * (1 - whole)) / whole)} s` : "";
    say(work.paused ? `${epoch}, en pausa` : `${epoch}; ${decimal(spent, 1)} s${left}`);
    if (whole > work.announced + 0.25 && work.history.length) {
      work.announced = whole;
      announce(`${epoch}; pérdida de validación, ${decimal(work.history.at(-1).val_loss, 3)}.`);
    }
  },
  done({ result, seconds }) {
    work.seconds += seconds;
    if (result.broken) {
      finish(`En la época ${result.broken} la pérdida dejó de ser un número: prueba con una tasa de aprendizaje, o unas alfas, menores.`);
      return;
    }
    const whole = result.history.length === work.settings.epochs;
    if (whole || !work.results.length) work.results.push(result); // entre varias semillas, una a medias no cuenta
    if (!work.stopped && work.results.length < work.seeds.length) next();
    else conclude();
  },
  failed: () => finish("El entrenamiento ha fallado. Vuelve a cargar la página."),
};

const hear = (message) => work && HEAR[message.kind](message);

function conclude() {
  const { settings: used, seeds, results, seconds, data } = work;
  current = makeRun(used, seeds.slice(0, results.length), results, seconds);
  runs = [current, ...runs].slice(0, MAX_RUNS);
  const kept = writeRuns(runs);
  showResult(results[0], data);
  const place = trainer.inWorker ? "" : " Este navegador no deja entrenar aparte, y la página ha ido a tirones.";
  const over = `${results.length > 1 ? `${results.length} semillas` : current.epochs > 1 ? `${current.epochs} épocas` : "1 época"} en ${decimal(seconds, 1)} s.`;
  finish(`${over}${place}${kept ? "" : " El navegador no deja guardarlo: se perderá al cerrar la página."}`, `${over} ${verdict(results[0])}`);
}

function finish(text, spoken = text) {
  work = null;
  find("progress").value = 0;
  say(text);
  announce(spoken);
  showButtons();
  tableOfRuns();
  fillForm();
  draw();
}

function pause() {
  if (!work) return;
  work.paused = !work.paused;
  trainer?.send({ command: work.paused ? "pause" : "resume" });
  announce(work.paused ? "En pausa." : "Sigue.");
  showButtons();
}

function stop() {
  if (!work) return;
  [work.stopped, work.paused] = [true, false];
  trainer?.send({ command: "stop" });
}

// Mientras se entrena se puede parar y no empezar; el teclado no se queda en un botón que ya no está.
function showButtons() {
  const focused = document.activeElement;
  for (const action of ["train", "repeat"]) buttons[action].hidden = !!work;
  for (const action of ["pause", "stop"]) buttons[action].hidden = !work;
  for (const fieldset of form.querySelectorAll("fieldset")) fieldset.disabled = !!work;
  for (const hint of page.querySelectorAll(".pistas button")) hint.disabled = !!work;
  buttons.pause.textContent = work?.paused ? "Seguir" : "Pausar";
  if (focused?.hidden || focused?.disabled) buttons[work ? "pause" : "train"].focus();
}

// ---- empezar

form.addEventListener("submit", (event) => {
  event.preventDefault();
  readForm();
  changed();
  begin([settings.seed]);
});
form.addEventListener("change", () => {
  readForm();
  changed();
});
buttons.repeat.addEventListener("click", () => {
  readForm();
  changed();
  begin(Array.from({ length: 5 }, (_, k) => (settings.seed + k) % SEEDS));
});
buttons.pause.addEventListener("click", pause);
buttons.stop.addEventListener("click", stop);
for (const button of page.querySelectorAll("[data-settings]")) button.addEventListener("click", () => adopt(button.dataset.settings));
const fromAddress = () => location.hash.includes("=") && !work && adopt(location.hash.slice(1));
addEventListener("hashchange", fromAddress);
new ResizeObserver(draw).observe(find("figure"));

if (typeof DecompressionStream === "undefined")
  document.getElementById("sin-entrena").textContent = "A este navegador le falta con qué descomprimir las imágenes: hace falta uno de 2023 o posterior.";
else {
  document.getElementById("sin-entrena").remove();
  page.hidden = false;
  runs = readRuns();
  document.getElementById("cuesta").textContent = costSentence();
  tableOfRuns();
  fillForm();
  fromAddress();
  draw();
}
