// «Entrena tú», los ajustes: qué se admite, cómo van en la dirección y en la orden de papermill, y cómo se dicen.
const MAX_LAYERS = 5, SUBSETS = [500, 2000, 6000], SEEDS = 2 ** 32;

const between = (low, high) => (value) => Math.min(high, Math.max(low, value));
const whole = (low, high) => (value) => Math.round(between(low, high)(value));
// Los límites del esquema de los cuadernos, o menores, para que un teléfono pueda con ello.
const SCHEMA = {
  sizes: { key: "capas", initial: [40, 50, 15, 15] },
  normalise: { key: "bn", initial: true },
  dropout: { key: "dropout", initial: 0.2, label: "dropout", admit: between(0, 0.95) },
  l1: { key: "l1", initial: 70e-15, label: "alfa l1", admit: between(0, 10) },
  l2: { key: "l2", initial: 3e-15, label: "alfa l2", admit: between(0, 10) },
  rate: { key: "tasa", initial: 0.001, label: "tasa de aprendizaje", admit: between(1e-6, 1) },
  epochs: { key: "epocas", initial: 20, label: "épocas", admit: whole(1, 200) },
  images: {
    key: "imagenes", initial: 6000, label: "imágenes",
    admit: (value) => SUBSETS.reduce((best, size) => (Math.abs(size - value) < Math.abs(best - value) ? size : best)),
  },
  seed: { key: "semilla", initial: 0, label: "semilla", admit: whole(0, SEEDS - 1) },
};
const NUMBERS = Object.keys(SCHEMA).filter((name) => SCHEMA[name].admit);
const UNITS = whole(1, 256);

// Los ajustes que dice un texto como el de la dirección, dentro de lo que se admite; lo que no dice, de `base`.
function parseSettings(text, base = initialSettings()) {
  const given = new URLSearchParams(text), settings = { ...base };
  for (const name of NUMBERS) {
    const said = given.get(SCHEMA[name].key), value = Number(said);
    if (said?.trim() && Number.isFinite(value)) settings[name] = SCHEMA[name].admit(value);
  }
  const sizes = (given.get("capas") ?? "").split("-").map(Number).filter((units) => units > 0 && Number.isFinite(units));
  if (sizes.length) settings.sizes = sizes.slice(0, MAX_LAYERS).map(UNITS);
  if (given.has("bn")) settings.normalise = !["0", "no", "false"].includes(given.get("bn"));
  return settings;
}

function initialSettings() {
  return Object.fromEntries(Object.entries(SCHEMA).map(([name, { initial }]) => [name, initial]));
}

// El texto que `parseSettings` lee.
function formatSettings({ sizes, normalise, ...numbers }) {
  return [`capas=${sizes.join("-")}`, `bn=${+normalise}`, ...NUMBERS.map((name) => `${SCHEMA[name].key}=${numbers[name]}`)].join("&");
}

const isPlain = ({ normalise, dropout, l1, l2 }) => !normalise && !dropout && !l1 && !l2;

// La red en pocas palabras: «40-50-15, dropout 0,2».
function describe(settings) {
  const { sizes, normalise, dropout, l1, l2, rate } = settings;
  const parts = [sizes.join("-"), normalise ? "normalización" : "", dropout && `dropout ${decimal(dropout)}`,
    l1 && `l1 ${decimal(l1)}`, l2 && `l2 ${decimal(l2)}`, rate !== 0.001 && `tasa ${decimal(rate)}`];
  return parts.filter(Boolean).join(", ");
}

// La orden que repite el entrenamiento con todos los datos, o por qué no la hay.
function papermillLine(settings, seeds) {
  const { sizes, normalise, dropout, l1, l2, rate, epochs } = settings;
  if (rate !== SCHEMA.rate.initial) return { problem: `Los cuadernos entrenan siempre con tasa de aprendizaje ${decimal(SCHEMA.rate.initial)}.` };
  if (!normalise && !isPlain(settings))
    return { problem: "Los cuadernos solo regularizan con normalización por lotes: actívala, o quita el dropout y las alfas." };
  const list = (values) => `[${values.join(", ")}]`;
  const network = normalise
    ? { model: "regularizado", hidden_sizes_regularised: list(sizes), dropout, alpha_l1: l1, alpha_l2: l2 }
    : { model: "simple", hidden_sizes: list(sizes) };
  const given = { ...network, epochs, seeds: list(seeds) };
  const options = Object.entries(given).map(([name, value]) => `-p ${name} ${/\[/.test(value) ? `"${value}"` : value}`);
  const line = [".venv/bin/papermill book/q1.ipynb book/corridas/q1-entrena.ipynb", ...options].join(" \\\n    ");
  return { line, address: `formulario.html#q1&${new URLSearchParams(given)}` };
}

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

// Un número como se escribe en el libro: «0,2», «7·10⁻¹⁴».
function decimal(value, digits) {
  if (digits !== undefined) return value.toFixed(digits).replace(".", ",");
  const [mantissa, exponent] = value.toExponential().split("e");
  if (value === 0 || Math.abs(exponent) < 4) return String(value).replace(".", ",");
  const power = `10${[...String(+exponent)].map((sign) => SUPERSCRIPTS[sign]).join("")}`;
  return mantissa === "1" ? power : `${mantissa.replace(".", ",")} · ${power}`;
}

const percent = (value) => `${decimal(100 * value, 1)} %`;
