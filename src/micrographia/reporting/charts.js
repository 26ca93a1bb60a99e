// Charts by Observable Plot, drawn from the JSON beside them when they come into view. Colours are variables of the
// page's style, so that they follow its theme.
const SERIES = ["--series-0", "--series-1", "--series-2", "--series-3", "--series-4", "--series-5"].map((name) => `var(${name})`);
const PHASES = { before: "var(--before)", after: "var(--after)", baseline: "var(--baseline)" };
const number = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toLocaleString("en").replace("-", "−"));
const tick = (value) => d3.format(Math.abs(value) < 1000 ? "~g" : "~s")(value);
const longest = (names) => Math.max(...names.map((name) => name.length));
const labelRoom = (names, width) => Math.min(7 * longest(names) + 14, Math.round(width * 0.42));
// A name cut to its room; what stands last in parentheses, as (flagged), is a warning and stays.
const shortened = (room) => (name) => {
  if (7 * name.length + 8 <= room) return name;
  const ending = name.match(/ \([^()]*\)$/)?.[0] ?? "";
  const kept = Math.max(3, Math.floor(room / 7) - 2 - ending.length);
  return `${name.slice(0, Math.min(kept, name.length - ending.length)).trimEnd()}…${ending}`;
};
const look = { style: { fontFamily: "inherit", fontSize: "12px", background: "none", overflow: "visible" } };

// Relative luminance and contrast as in WCAG 2.2; colours are [red, green, blue] in 0..255.
const luminance = (colour) => {
  const [red, green, blue] = colour.map((part) => (part <= 10.31475 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const ENOUGH = 4.5;

// From the name of a variable of the page's style to its colour in the theme of now.
function themeColour(name) {
  const { r, g, b } = d3.rgb(getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return [r, g, b];
}

// What text is read best on a fill of some opacity on the page: its ink, else its paper, else black or white.
function readable() {
  const [ink, paper, faint] = ["--ink", "--paper", "--faint"].map(themeColour);
  const fills = { "--accent": themeColour("--accent"), "--negative": themeColour("--negative") };
  return (fill, opacity, isFaint) => {
    const ground = paper.map((part, place) => part + opacity * (fills[fill][place] - part));
    const choices = [...(isFaint ? [[faint, "var(--faint)"]] : []), [ink, "var(--ink)"], [paper, "var(--paper)"]];
    const [, found] = choices.find(([colour]) => contrast(colour, ground) >= ENOUGH) ?? [];
    return found ?? (contrast([0, 0, 0], ground) > contrast([255, 255, 255], ground) ? "#000" : "#fff");
  };
}

function make(tag, attributes, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function keys(pairs) {
  return make("div", { className: "keys" }, ...pairs.map(([label, colour]) => {
    const swatch = make("i", {});
    swatch.style.background = colour;
    return make("span", {}, swatch, label);
  }));
}

function lines(spec, width) {
  const narrow = width < 560 || spec.panels.length === 1;
  const each = narrow ? Math.min(width, 560) : Math.floor((width - 48) / Math.min(3, spec.panels.length));
  const names = [...new Set(spec.panels.flatMap((panel) => Object.keys(panel.lines)))];
  const panels = spec.panels.map((panel) => {
    const rows = Object.entries(panel.lines).flatMap(([name, { x, y }]) => x.map((at, place) => ({ name, x: at, y: y[place] })));
    const window = Math.max(1, Math.round(rows.length / names.length / 30));
    const channels = { x: "x", y: "y", z: "name", stroke: "name" };
    return make("div", {}, make("h4", { textContent: panel.title }), Plot.plot({
      ...look, width: each, height: 206, marginLeft: 52, marginRight: 18, marginBottom: 44,
      x: { label: spec.x, labelAnchor: "center", labelArrow: "none", labelOffset: 38, ticks: 4, tickFormat: "~s" },
      y: { label: null, grid: true, ticks: 4, type: panel.log ? "log" : "linear", tickFormat: panel.log ? undefined : tick, nice: true },
      color: { domain: names, range: SERIES },
      marks: [
        Plot.lineY(rows, { ...channels, strokeOpacity: window > 1 ? 0.25 : 1 }),
        window > 1 ? Plot.lineY(rows, Plot.windowY({ k: window, reduce: "mean" }, { ...channels, strokeWidth: 2 })) : null,
        rows.length < 3 ? Plot.dot(rows, { x: "x", y: "y", fill: "name" }) : null,
        Plot.tip(rows, Plot.pointer({ x: "x", y: "y", title: (row) => `${row.name}\n${number(row.x)} ${spec.x}\n${panel.title} ${number(row.y)}` })),
      ],
    }));
  });
  return [keys(names.map((name, place) => [name, SERIES[place]])), make("div", { className: "panels" }, ...panels)];
}

function heat(spec, width) {
  const [low, high] = spec.domain;
  const cells = spec.values.flatMap((row, r) => row.map((value, c) => ({ value, row: spec.rows[r], column: spec.columns[c], text: spec.texts[r][c] })));
  const title = 22; // room of an axis' title
  const left = labelRoom(spec.rows, width - title) + title;
  const size = Math.max(36, Math.min(64, (width - left - 60) / spec.columns.length));
  const top = Math.min(200, 0.72 * 6.6 * longest(spec.columns) + 30) + title;
  const shade = (cell) => Math.abs(cell.value ?? 0) / high;
  const fill = (cell) => (cell.value < 0 ? "--negative" : "--accent");
  const text = readable();
  const tall = Math.min(size, 34);
  const signed = low < 0;
  const axis = { labelAnchor: "center", labelArrow: "none", tickSize: 0, padding: 0.05 };
  const ramp = make("i", { className: "ramp" });
  ramp.style.background = `linear-gradient(to right, ${signed ? "var(--negative), transparent," : "transparent,"} var(--accent))`;
  return [
    make("div", { className: "keys" }, make("span", {}, spec.measure), make("span", {}, number(low), ramp, number(high))),
    Plot.plot({
      ...look, width: left + size * spec.columns.length + 60, height: top + tall * spec.rows.length + 10, marginLeft: left, marginTop: top, marginBottom: 10, marginRight: 60,
      x: { ...axis, domain: spec.columns, axis: "top", label: spec.x, labelOffset: top - 4, tickRotate: -45, tickFormat: shortened(260) },
      y: { ...axis, domain: spec.rows, label: spec.y, labelOffset: left - 4, tickFormat: shortened(left - title) },
      marks: [
        Plot.cell(cells, { x: "column", y: "row", fill: (cell) => `var(${fill(cell)})`, fillOpacity: shade, rx: 2, inset: 0.5 }),
        Plot.text(cells, { x: "column", y: "row", text: "text", fontSize: 11, fill: (cell) => text(fill(cell), shade(cell), !cell.value) }),
        Plot.tip(cells, Plot.pointer({ x: "column", y: "row", title: (cell) => `${spec.y}: ${cell.row}\n${spec.x}: ${cell.column}\n${spec.measure}: ${number(cell.value)}` })),
      ],
    }),
  ];
}

function bars(spec, width) {
  const left = labelRoom(spec.names, width);
  return [
    keys(spec.phases.map((phase) => [`${phase} fine-tuning`, PHASES[phase]])),
    Plot.plot({
      ...look, width: Math.min(width, 760), height: spec.names.length * (12 * spec.phases.length + 8) + 50, marginLeft: left, marginRight: 24, marginTop: 8, marginBottom: 38,
      x: { label: spec.x, grid: true, ticks: 5 },
      y: { axis: null, domain: spec.phases, padding: 0.05 },
      fy: { domain: spec.names, label: null, axis: "left", tickSize: 0, padding: 0.22, tickFormat: shortened(left) },
      marks: [
        Plot.barX(spec.bars, { x: "value", y: "phase", fy: "name", fill: (bar) => PHASES[bar.phase] ?? SERIES[2], title: (bar) => `${bar.name}, ${bar.phase}: ${number(bar.value)}`, tip: true }),
        Plot.ruleX([0]),
      ],
    }),
  ];
}

function boxes(spec, width) {
  const methods = [...new Set(spec.boxes.map((box) => box.method))];
  const colour = (group) => SERIES[spec.groups.indexOf(group) % SERIES.length];
  const rows = spec.boxes.flatMap(({ method, group, values }) => values.map((value) => ({ method, group, value })));
  const left = labelRoom(methods, width);
  const shared = { x: "value", y: "group", fy: "method" };
  return [
    keys(spec.groups.map((group) => [group, colour(group)])),
    Plot.plot({
      ...look, width: Math.min(width, 860), height: methods.length * (26 * spec.groups.length + 16) + 50, marginLeft: left, marginRight: 20, marginTop: 8, marginBottom: 38,
      x: { label: spec.y, grid: true, nice: true, ticks: 6 },
      y: { axis: null, domain: spec.groups, padding: 0.2 },
      fy: { domain: methods, label: null, axis: "left", tickSize: 0, padding: 0.15, tickFormat: shortened(left) },
      marks: [
        Plot.dot(rows, { ...shared, r: 1.8, fill: (row) => colour(row.group), fillOpacity: 0.35 }),
        Plot.boxX(rows, { ...shared, fill: (row) => colour(row.group), fillOpacity: 0.25, stroke: (row) => colour(row.group), r: 0 }),
        Plot.tip(spec.boxes.map((box) => ({ ...box, value: box.values[Math.floor(box.values.length / 2)] })), Plot.pointer({ ...shared, title: (box) => `${box.method}, ${box.group}\nmedian ${number(box.value)} of ${box.n}` })),
      ],
    }),
  ];
}

function dots(spec, width) {
  const names = spec.dots.map((dot) => dot.name);
  const left = labelRoom(names, width);
  return [Plot.plot({
    ...look, width: Math.min(width, 860), height: 26 * names.length + 54, marginLeft: left, marginRight: 30, marginTop: 8, marginBottom: 30,
    x: { label: null, grid: true, nice: true, ticks: 6 },
    y: { domain: names, label: null, tickSize: 0, tickFormat: shortened(left) },
    marks: [
      Plot.ruleY(spec.dots.filter((dot) => dot.sd !== null), { y: "name", x1: (dot) => dot.mean - dot.sd, x2: (dot) => dot.mean + dot.sd, stroke: "var(--series-0)", strokeWidth: 2, strokeOpacity: 0.5 }),
      Plot.dot(spec.dots, { x: "mean", y: "name", r: 5, fill: "var(--series-0)" }),
      Plot.tip(spec.dots, Plot.pointer({ x: "mean", y: "name", title: (dot) => `${dot.name}\n${number(dot.mean)}${dot.sd === null ? "" : ` ± ${number(dot.sd)}`}, n = ${dot.n}` })),
    ],
  })];
}

// The same numbers as rows of a table, the heading first.
const TABLES = {
  lines: (spec) => [["quantity", "part", spec.x, "value"], ...spec.panels.flatMap((panel) => Object.entries(panel.lines).flatMap(([name, { x, y }]) => x.map((at, place) => [panel.title, name, number(at), number(y[place])])))],
  heat: (spec) => [[`${spec.y} \\ ${spec.x}`, ...spec.columns], ...spec.rows.map((row, r) => [row, ...spec.texts[r]])],
  bars: (spec) => [["latent", ...spec.phases], ...spec.names.map((name) => [name, ...spec.phases.map((phase) => number(spec.bars.find((bar) => bar.name === name && bar.phase === phase)?.value))])],
  boxes: (spec) => [["method", "condition", "cells", "lower quartile", "median", "upper quartile"], ...spec.boxes.map((box) => [box.method, box.group, number(box.n), ...[0.25, 0.5, 0.75].map((share) => number(d3.quantile(box.values, share)))])],
  dots: (spec) => [["group", "mean", "standard deviation", "runs"], ...spec.dots.map((dot) => [dot.name, number(dot.mean), number(dot.sd), number(dot.n)])],
};
const DRAWN = { lines, heat, bars, boxes, dots };

function tabulate(rows) {
  const [head, ...body] = rows;
  const cell = (tag, text, scope) => make(tag, { textContent: text, ...(scope ? { scope } : {}) });
  return make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((text) => cell("th", text, "col")))),
    make("tbody", {}, ...body.map(([first, ...rest]) => make("tr", {}, cell("th", first, "row"), ...rest.map((text) => cell("td", text))))));
}

function setUpChart(figure) {
  const variants = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  const [plot, select, numbers] = [".plot", "select", ".numbers"].map((name) => figure.querySelector(name));
  let width = 0;
  const chosen = () => variants[select ? Number(select.value) : 0];
  const draw = () => {
    const { spec, alt } = chosen();
    plot.setAttribute("aria-label", alt);
    plot.replaceChildren(...DRAWN[spec.type](spec, width));
    if (numbers.open) tell();
  };
  const tell = () => numbers.querySelector(".scroll").replaceChildren(tabulate(TABLES[chosen().spec.type](chosen().spec)));
  select?.addEventListener("input", draw);
  addEventListener("themechange", () => width && draw()); // the text of a matrix is chosen for its ground
  numbers.addEventListener("toggle", () => numbers.open && tell());
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - width) < 2 || !contentRect.width) return;
    width = contentRect.width;
    draw();
  }).observe(plot);
}

const coming = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    coming.unobserve(target);
    setUpChart(target);
  }
}, { rootMargin: "600px" });
for (const figure of document.querySelectorAll(".chart")) coming.observe(figure);
