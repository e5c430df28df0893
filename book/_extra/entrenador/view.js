// «Entrena tú», lo que se ve: las curvas, lo publicado, las figuras del final y la tabla de lo hecho. El estado está en page.js.

function draw() {
  const published = Object.entries(PUBLISHED.curves).map(([name, bySize], k) => {
    const curves = bySize[settings.images], part = (key) => Object.fromEntries(METRICS.map((metric) => [metric, curves[metric][key]]));
    return { name: `${name} publicada`, colour: `publicada-${k + 1}`, curves: part("mean"), bands: curves };
  });
  const shown = laidOver.map((run, k) => ({ name: describe(run.settings), colour: `guardada-${k + 1}`, ...run }));
  const mine = work?.history.length ? { settings: work.settings, ...summarise([work.history]) } : current;
  const others = shown.filter((run) => run.curves !== mine?.curves);
  const series = [...published, ...others, ...(mine ? [{ name: `Lo tuyo: ${describe(mine.settings)}`, colour: "mia", ...mine }] : [])];
  const epochs = Math.max(PUBLISHED.epochs, ...series.map(({ curves }) => curves.val_loss.length));
  for (const metric of ["loss", "accuracy"]) drawChart(find(`figure[data-metric=${metric}]`), metric, series, epochs);
  find(".leyenda").replaceChildren(...series.map(({ name, colour }) => {
    const item = document.createElement("li");
    item.innerHTML = `<svg width="34" height="12" aria-hidden="true"><line class="${colour}" x1="1" x2="33" y1="6" y2="6"/></svg> `;
    item.append(name);
    return item;
  }));
  find(".lo-publicado").textContent = publishedSentence(settings.images);
}

function publishedSentence(images) {
  const said = Object.entries(PUBLISHED.curves).map(([name, bySize]) => {
    const values = bySize[images].val_loss.mean, best = Math.min(...values);
    return `la de ${name} baja hasta ${decimal(best, 3)} en la época ${values.indexOf(best) + 1} y acaba en ${decimal(values.at(-1), 3)}`;
  });
  return `Lo publicado, con ${thousands(images)} imágenes, ${PUBLISHED.epochs} épocas y ${PUBLISHED.seeds} semillas, que entrenó Keras: `
    + `la pérdida de validación, de media: ${said.join("; ")}.`;
}

function showResult(result, { val, test }) {
  const read = readings(result, test.labels), section = find(".resultado");
  section.hidden = false;
  find(".veredicto").textContent = verdict(result);
  find(".cifras").replaceChildren(scoresTable(result));
  find(".matriz").replaceChildren(confusionTable(read));
  const showWeights = () => {
    const learned = find("[name=aprendido]").checked;
    const shown = { units: result.units, kernel: result.kernel.map((value, i) => value - (learned ? result.initial[i] : 0)) };
    drawWeights(find(".pesos canvas"), shown);
    find(".pesos .tabla").replaceChildren(weightsTable(shown));
  };
  find("[name=aprendido]").onchange = showWeights;
  showWeights();
  const wrong = showMisread(find(".mal-leidos"), read, test.images);
  find(".cuantos").textContent = `De ${thousands(read.length)} imágenes de prueba lee mal ${wrong}. Se ven las primeras, de la más segura a la menos.`;
}

function tableOfRuns() {
  find(".hechos").hidden = !runs.length;
  showRuns(find(".hechos .tabla"), runs, laidOver, {
    toggle(run) {
      laidOver = laidOver.includes(run) ? laidOver.filter((one) => one !== run) : [...laidOver, run].slice(-MAX_LAID_OVER);
      tableOfRuns();
      draw();
    },
    remove(run) {
      [runs, laidOver] = [runs, laidOver].map((list) => list.filter((one) => one !== run));
      writeRuns(runs);
      tableOfRuns();
      draw();
      find(".hechos button, [data-action=train]").focus();
    },
  });
}

function costSentence() {
  const points = (value) => decimal(100 * value, 2).replace("-", "−");
  const said = Object.entries(PUBLISHED.cost).map(([name, { mean: middle, low, high }]) =>
    `en ${name}, ${points(middle)} puntos (intervalo del 95 %, de ${points(low)} a ${points(high)})`);
  return `Con 4 bits en lugar de 8, la exactitud de prueba cambia, de media: ${said.join("; ")}.`;
}
