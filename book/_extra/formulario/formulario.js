// «Prepara una repetición»: juzga cada parámetro como papermill y el cuaderno, y escribe la orden que lo repite.
// Los parámetros, con sus límites y lo publicado, vienen de esquemas.js, que se escribe al construir el libro.

// ---- lo escrito, como lo leen papermill y el cuaderno

const DIGITS = "\\d(?:_?\\d)*", DECIMAL = `(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:e[-+]?${DIGITS})?`;
const NUMBER = new RegExp(`^\\s*[-+]?(?:${DECIMAL}|inf|infinity|nan)\\s*$`, "i");
const TOKEN = new RegExp(`0x(?:_?[\\da-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+|${DECIMAL}|'[^'\\\\]*'|"[^"\\\\]*"|[-+,()[\\]]`, "gi");
const WORDS = new Map([["True", true], ["False", false], ["None", null]]), number = (text) => Number(text.replaceAll("_", ""));

// Lo que papermill entiende de `-p nombre texto`.
const resolve = (text) => (WORDS.has(text) ? WORDS.get(text) : NUMBER.test(text) ? number(text) : text);

// Un literal de Python con números, textos sencillos, listas y tuplas; si no lo es, falla.
function literal(text) {
  if (/[^ \t]/.test(text.replace(TOKEN, "")) || /[-+][ \t(]*[-+]/.test(text)) throw new SyntaxError(text);
  const tokens = text.match(TOKEN) ?? [];
  const items = (end) => {
    const found = [];
    while (tokens[0] !== end) {
      found.push(value());
      if (tokens[0] === ",") found.comma = !!tokens.shift();
      else if (tokens[0] !== end) throw new SyntaxError(text);
    }
    tokens.shift();
    return found;
  };
  const tuple = (found) => (found.length === 1 && !found.comma ? found[0] : found); // (3) es 3, y (3,) no
  const value = () => {
    const token = tokens.shift() ?? "";
    if (token === "[") return items("]");
    if (token === "(") return tuple(items(")"));
    if (/^['"]/.test(token)) return token.slice(1, -1);
    const signed = /^[-+]$/.test(token) && value();
    if (typeof signed === "number") return token === "-" ? -signed : signed;
    if (!/^[\d.]/.test(token) || /^0[\d_]*[1-9][\d_]*$/.test(token)) throw new SyntaxError(text); // 007 no es un número
    return number(token);
  };
  return tuple(items());
}

const repeated = (values) => new Set(values.map(String)).size < values.length;
const weights = (sizes) => sizes.reduce((sum, units, k) => sum + (sizes[k - 1] ?? 784) * units, 0); // desde los 784 píxeles
const within = (value, { ge, gt, le, lt }) => !(value < ge || value <= gt || value > le || value >= lt);

// El valor que el cuaderno usaría, o undefined si lo rechazaría.
function check(given, kind) {
  if (given === null || (kind.type === "str" && ["", "null"].includes(given))) return kind.optional ? null : undefined;
  if (kind.options) return kind.options.find((option) => option === given);
  if (kind.type === "str") return typeof given === "string" ? given : undefined;
  let value = given;
  try {
    if (typeof given === "string") value = literal(given);
  } catch {} // sigue siendo un texto, y no se admite
  if (!kind.items) {
    const sound = kind.type === "int" ? Number.isInteger(value) : Number.isFinite(value);
    return sound && within(value, kind) ? value : undefined;
  }
  if (!Array.isArray(value) || !within(value.length, { ge: kind.min_length, le: kind.max_length })) return undefined;
  const values = value.map((one) => check(one, kind.items));
  const refused = values.includes(undefined) || (kind.distinct && repeated(values)) || weights(values) > kind.max_weights;
  return refused ? undefined : values;
}

// ---- la orden

const RUN_NAME = /^[A-Za-z0-9][\w-]{0,99}$/; // sirve de archivo y de dirección
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

// Del capítulo y de lo que cambia; de una ruta o una dirección, solo el final.
function suggest(chapter, changed) {
  const words = Object.entries(changed).map(([name, text]) => `${name}-${text.replace(/.*\//, "")}`);
  return [chapter, ...words].join("-").replace(/[^\w]+/g, "-").slice(0, 80).replace(/-$/, "");
}

function command(chapter, run, changed) {
  const options = Object.entries(changed).map(([name, text]) => `-p ${name} ${quote(text)}`);
  return `${[`.venv/bin/papermill book/${chapter}.ipynb book/corridas/${run}.ipynb`, ...options].join(" \\\n    ")}\nmake html`;
}

// ---- la página

const root = document.getElementById("formulario"), find = (selector) => root.querySelector(selector), form = find("form");
const textOf = ({ type, checked, value }) => (type !== "checkbox" ? value : checked ? "True" : "False");
let named = false, waiting; // si quien lee ha puesto nombre a su repetición; y lo que espera a que deje de escribir

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
const link = (href, textContent) => make("a", { href, textContent });

function field(name, { meaning, published, kind }, text) {
  const id = `p-${name}`, boolean = kind.options?.includes(true);
  const control = kind.options && !boolean
    ? make("select", { className: "form-select" }, ...kind.options.map((textContent) => make("option", { textContent })))
    : make("input", { type: boolean ? "checkbox" : "text", className: boolean ? "" : "form-control", autocomplete: "off", spellcheck: false });
  Object.assign(control, { id, name, [boolean ? "checked" : "value"]: boolean ? text === "True" : text });
  control.setAttribute("aria-describedby", `${id}-publicado ${id}-error`);
  return make("div", { className: "campo" },
    make("label", { htmlFor: id }, make("code", { textContent: name }), ` (${meaning})`), control,
    make("p", { id: `${id}-publicado`, className: "publicado", textContent: `Publicado: ${published}` }),
    make("p", { id: `${id}-error`, className: "error" }));
}

// Pone los campos de un capítulo, con lo publicado o con lo que se le dé; una opción que no existe no se pone.
function fill(chapter, given = new URLSearchParams()) {
  const groups = [];
  for (const [name, parameter] of Object.entries(CHAPTERS[chapter].parameters)) {
    const { group, published, kind } = parameter, text = given.get(name) ?? published;
    if (groups.at(-1)?.firstChild.textContent !== group) groups.push(make("fieldset", {}, make("legend", { textContent: group })));
    groups.at(-1).append(field(name, parameter, kind.options && check(resolve(text), kind) === undefined ? published : text));
  }
  form.chapter.value = chapter;
  find(".parametros").replaceChildren(...groups);
  named = false;
  update();
}

function flag(control, refusal) {
  control.setAttribute("aria-invalid", !!refusal);
  document.getElementById(`${control.id}-error`).textContent = refusal;
  return refusal && `${control.name}: ${refusal}`;
}

// Juzga lo que hay en el formulario y escribe la orden; devuelve la dirección que lo lleva.
function update() {
  const chapter = form.chapter.value, { title, parameters } = CHAPTERS[chapter], values = {}, changed = {}, refused = [];
  for (const [name, { kind, published, allowed }] of Object.entries(parameters)) {
    const control = form[name], text = textOf(control), value = (values[name] = check(resolve(text), kind));
    if (!same(value, check(resolve(published), kind))) changed[name] = text;
    refused.push(flag(control, value === undefined ? `se admite ${allowed}.` : ""));
    control.parentElement.classList.toggle("cambiado", name in changed);
  }
  if (!named) form.nombre.value = suggest(chapter, changed);
  const run = form.nombre.value, names = Object.keys(changed);
  refused.push(flag(form.nombre, RUN_NAME.test(run) ? "" : "se admiten letras sin tilde, cifras y guiones, hasta 100."));
  const problems = refused.filter(Boolean).join(" "), ready = names.length && !problems;
  const done = RUNS.find((one) => one.chapter === chapter && Object.keys(values).every((name) => same(one.parameters[name], values[name])));
  if (problems) say(`No hay orden. ${problems}`);
  else if (!ready) say("No has cambiado nada: lo publicado está en ", link(`${chapter}.html`, title), title.endsWith("?") ? "" : ".");
  else if (done) say("Ya está hecha, con los mismos valores: ", link(`corridas/${done.name}.html`, done.name), ".");
  else if (RUNS.some(({ name }) => name === run)) say("Ojo: ya hay una repetición con ese nombre, y esta orden la sustituye.");
  else say(`Cambia ${names.join(", ")}; lo demás queda como se publicó.`);
  find(".orden code").textContent = ready ? command(chapter, run, changed) : "";
  find(".lista").hidden = !ready;
  find(".copiada").textContent = "";
  return `#${[chapter, new URLSearchParams(changed)].filter(String).join("&")}`;
}

// Lo que ya está dicho no se vuelve a anunciar.
function say(...parts) {
  const state = find(".estado"), said = make("p", {}, ...parts);
  if (said.innerHTML !== state.innerHTML) state.replaceChildren(...said.childNodes);
}

function changed() {
  clearTimeout(waiting);
  const address = update();
  try {
    history.replaceState(null, "", address);
  } catch {} // la dirección no se puede escribir: la orden sale igual
}

function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)), [chapter] = given.keys();
  if (Object.hasOwn(CHAPTERS, chapter)) fill(chapter, given);
}

// Desde un archivo, hay navegadores que no dejan el portapapeles: la orden queda seleccionada.
async function copy() {
  const line = find(".orden code"), said = find(".copiada");
  try {
    await navigator.clipboard.writeText(line.textContent);
    said.textContent = "Copiada.";
  } catch {
    getSelection().selectAllChildren(line);
    said.textContent = document.execCommand("copy") ? "Copiada." : "Está seleccionada: cópiala con Ctrl + C.";
  }
}

form.chapter.append(...Object.entries(CHAPTERS).map(([value, { title }]) => make("option", { value, textContent: title })));
form.addEventListener("change", ({ target }) => {
  if (target === form.chapter) fill(target.value);
  if (target === form.nombre) named = target.value !== "";
  changed();
});
form.addEventListener("input", ({ target }) => {
  named ||= target === form.nombre;
  clearTimeout(waiting);
  waiting = setTimeout(changed, 700); // a medio escribir no se riñe a nadie
});
find(".copiar").addEventListener("click", copy);
addEventListener("hashchange", fromAddress);
document.getElementById("sin-formulario").remove();
root.hidden = false;
fill(Object.keys(CHAPTERS)[0]);
fromAddress();
