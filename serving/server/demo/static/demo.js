// The demo page: what is typed is scored over TF Serving's REST API, and explained by the server's own path `/demo`.
// All text enters the page by `textContent`.

const DEBOUNCE_MS = 150;
const TIMEOUT_MS = 60_000;
const POLL_MS = 10_000;
const RETRY_MS = 2_000;
const SHOWN_LINES = 100;
const SHOWN_WORD = 60;
const NOTICEABLE = 0.0005; // what is not 0.0 once it is rounded
const FULL_COLOUR = 0.1; // or the strongest word's effect, where that is more
const BATCH_ROWS = 256;
const BATCH_CHARACTERS = 1 << 19;
const IN_FLIGHT = 2;
const WAITS_MS = [500, 1_000, 2_000, 4_000, 8_000];
const MOST_BYTES = 50 << 20;
const MOST_FIELD = 1 << 20;
const EXAMPLES = ["21 Pictures That Will Make You Feel Old", "Google announces TensorFlow 2.0"];
const MINUS = "\u2212";

const at = (id) => document.getElementById(id);

/** A problem in words for people; `status` is HTTP's, 0 where there is no answer. */
class Trouble extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The server

async function ask(path, body, signal) {
  let response, text;
  try {
    const stop = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(path, {
      method: body ? "POST" : "GET",
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, stop]) : stop,
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Trouble(0, "The server must answer. Received: nothing. Start it again with `clickbait serve --demo`; this page goes on by itself.");
  }
  let answer;
  try {
    // TF Serving's JSON has numbers that JSON has not. An answer with scores holds no text.
    answer = JSON.parse(path.startsWith("/v1/") && response.ok ? text.replace(/-?\b(?:NaN|Infinity)\b/g, "null") : text);
  } catch {
    throw new Trouble(response.status, `The server must answer in JSON. Received: HTTP ${response.status}. Look at its log.`);
  }
  if (!response.ok) throw new Trouble(response.status, answer.error ?? `HTTP ${response.status}`);
  return answer;
}

/** Returns the scores of texts by one version, null for what is no number. */
async function score(model, texts, signal) {
  const path = `/v1/models/${encodeURIComponent(model.model)}/versions/${model.version}:predict`;
  const { predictions } = await ask(path, { instances: texts }, signal);
  return predictions.map((row) => {
    const value = Array.isArray(row) ? row[0] : typeof row === "object" && row ? row[model.columns.score]?.[0] : row;
    return typeof value === "number" ? Math.fround(value) : null; // JSON has its shortest digits
  });
}

/** Returns the class of a score, as `serving.classes.class_of`. */
function classOf(value, unsure) {
  if (value === null) return "?";
  if (!unsure) return value > 0.5 ? "clickbait" : "news";
  return value < unsure[0] ? "news" : value >= unsure[1] ? "clickbait" : "unsure";
}

// Words for numbers

function percent(value) {
  if (value === null) return "no score";
  if (value > 0.999 && value < 1) return ">\u202f99.9\u202f%";
  if (value < 0.001 && value > 0) return "<\u202f0.1\u202f%";
  return `${(100 * value).toFixed(1)}\u202f%`;
}

function points(value) {
  if (value === null) return "?";
  if (Math.abs(value) < NOTICEABLE) return "0.0";
  return `${value < 0 ? MINUS : "+"}${Math.abs(100 * value).toFixed(1)}`;
}

const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const within = (value) => `${100 * Math.min(Math.max(value ?? 0, 0), 1)}%`;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function show(element, text) {
  element.hidden = !text;
  if (element.textContent !== text) element.textContent = text;
}

// What is typed

const state = { model: null, lines: [], selected: 0, scores: new Map(), reasons: new Map() };
let running = null;
let timer = 0;
let polling = 0;

const selectedText = () => state.lines[state.selected];

/** Reads the lines, and the one that the caret is in. */
function readLines() {
  const box = at("texts");
  const all = box.value.toWellFormed().split("\n");
  const caret = box.value.slice(0, box.selectionStart).split("\n").length - 1;
  const filled = all.map((text, number) => ({ text, number })).filter(({ text }) => text.trim());
  state.lines = filled.slice(0, SHOWN_LINES).map(({ text }) => text);
  const place = filled.findIndex(({ number }) => number >= caret);
  if (document.activeElement === box) state.selected = place < 0 ? filled.length - 1 : place;
  state.selected = Math.max(0, Math.min(state.selected, state.lines.length - 1));
  const left = filled.length - state.lines.length;
  show(at("more"), left ? `The first ${SHOWN_LINES} are scored; ${plural(left, "line")} below are not. Save them as a CSV, and drop it below.` : "");
}

function changed() {
  readLines();
  showLines();
  showDetail();
  clearTimeout(timer);
  timer = setTimeout(update, DEBOUNCE_MS);
}

/** Scores the lines that have no score yet, and explains the selected one. */
async function update() {
  clearTimeout(timer);
  running?.abort();
  const model = state.model;
  if (!model || !state.lines.length) return;
  const { signal } = (running = new AbortController());
  const { scores, reasons, lines } = state;
  try {
    for (const texts of batches([...new Set(lines)].filter((text) => !scores.has(text)))) {
      const values = await score(model, texts, signal);
      texts.forEach((text, index) => keep(scores, text, values[index], 5_000));
      showLines();
      showDetail();
    }
    showTrouble("");
    const text = selectedText();
    if (!reasons.has(text)) {
      const answer = await ask("/demo", { text }, signal).catch((error) => {
        if ([400, 504].includes(error.status)) return { note: error.message };
        throw error;
      });
      if (answer.note) keep(reasons, text, answer, 500);
      else if (answer.version !== model.version) return accept(answer);
      else keep(reasons, text, answer, 500);
    }
    showDetail();
    announce();
  } catch (error) {
    if (signal.aborted) return;
    showTrouble(error.message);
    // A version that is gone, or a server: the next look at it says which.
    if (!(error instanceof Trouble)) throw error;
    if (![0, 404, 429, 503, 504].includes(error.status)) return;
    await look();
    clearTimeout(timer);
    timer = setTimeout(update, RETRY_MS);
  }
}

function keep(map, key, value, most) {
  if (map.size >= most) map.delete(map.keys().next().value);
  map.set(key, value);
}

function* batches(texts) {
  for (let from = 0; from < texts.length; ) {
    let to = from, characters = 0;
    do characters += texts[to++].length;
    while (to < texts.length && to - from < BATCH_ROWS && characters + texts[to].length <= BATCH_CHARACTERS);
    yield texts.slice(from, to);
    from = to;
  }
}

/** Asks which version answers, now and again: sooner while none does. */
async function look() {
  clearTimeout(polling);
  let next = POLL_MS;
  try {
    accept(await ask("/demo"));
  } catch (error) {
    next = RETRY_MS;
    state.model = null;
    at("reasons").hidden = at("reasons").classList.contains("waiting");
    const unloaded = error.status === 404;
    at("lamp").className = "lamp off";
    at("model").textContent = unloaded ? "No version is loaded" : "The server does not answer";
    showTrouble(unloaded ? "A version must be loaded. Received: none. Push one with `clickbait run`; this page goes on by itself." : error.message);
  }
  clearTimeout(polling);
  polling = setTimeout(() => (document.hidden ? undefined : look()), next);
}

/** Takes over what the server says of its version. */
function accept({ model, version, unsure, columns }) {
  const before = state.model;
  state.model = { model, version, unsure, columns };
  at("lamp").className = "lamp on";
  at("model").textContent = `Version ${version} of ${model} answers` + (unsure ? ` \u00b7 unsure from ${percent(unsure[0])} to below ${percent(unsure[1])}` : "");
  at("path").textContent = `/v1/models/${model}:predict`;
  if (before && before.version === version && String(before.unsure) === String(unsure)) return;
  if (before?.version !== version) {
    state.scores = new Map();
    state.reasons = new Map();
  }
  showTrouble("");
  showLines();
  update();
}

const showTrouble = (message) => show(at("trouble"), message);

function announce() {
  const value = state.scores.get(selectedText()) ?? null;
  at("status").textContent = `${plural(state.lines.length, "headline")} scored. ${cut(selectedText(), 120)}: ${classOf(value, state.model?.unsure)}, ${percent(value)}.`;
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most)}\u2026` : text);

function showLines() {
  const list = at("rows");
  at("lines").hidden = !state.lines.length;
  while (list.children.length > state.lines.length) list.lastChild.remove();
  state.lines.forEach((text, index) => {
    const row = list.children[index] ?? list.appendChild(makeRow(index));
    const [choice, written, name, number, meter] = row.children;
    const known = state.scores.has(text);
    const value = known ? state.scores.get(text) : null;
    const kind = known ? classOf(value, state.model?.unsure) : "";
    choice.checked = index === state.selected;
    written.textContent = cut(text, 400);
    name.textContent = kind;
    name.className = `class ${kind}`;
    number.textContent = known ? percent(value) : "\u2026";
    meter.className = `meter ${kind}`;
    meter.firstChild.style.setProperty("--at", within(value));
  });
}

function makeRow(index) {
  const row = make("label", "row");
  const choice = make("input", "unseen");
  choice.type = "radio";
  choice.name = "line";
  choice.addEventListener("change", () => select(index));
  const meter = make("span", "meter");
  meter.append(make("i"));
  row.append(choice, make("span", "text"), make("span", "class"), make("span", "n"), meter);
  return row;
}

function select(index) {
  if (index === state.selected) return;
  state.selected = index;
  showLines();
  showDetail();
  clearTimeout(timer);
  timer = setTimeout(update, DEBOUNCE_MS);
}

function showDetail() {
  const text = selectedText();
  const known = text !== undefined && state.scores.has(text);
  at("empty").hidden = text !== undefined;
  at("detail").hidden = text === undefined || (!known && at("detail").hidden);
  at("detail").classList.toggle("waiting", !known);
  if (!known) return;
  const unsure = state.model?.unsure;
  const value = state.scores.get(text);
  const kind = classOf(value, unsure);
  at("t-detail").textContent = cut(text, 200);
  at("score").textContent = percent(value);
  at("class").textContent = kind;
  at("class").className = `class ${kind}`;
  at("needle").style.setProperty("--at", within(value));
  at("needle").hidden = value === null;
  at("band").hidden = !unsure;
  at("middle").textContent = unsure ? "unsure" : "";
  if (unsure) {
    at("band").style.setProperty("--from", within(unsure[0]));
    at("band").style.setProperty("--wide", within(unsure[1] - unsure[0]));
    at("middle").style.setProperty("--at", within((unsure[0] + unsure[1]) / 2));
  }
  const reasons = state.reasons.get(text);
  at("reasons").classList.toggle("waiting", !reasons);
  if (!reasons) return;
  at("reasons").hidden = Boolean(reasons.note);
  show(at("reasons-note"), reasons.note ?? "");
  if (!reasons.note) showReasons(reasons, kind);
}

function showReasons({ score: value, words, words_left: left, variants }, kind) {
  const full = Math.max(FULL_COLOUR, ...words.map(({ effect }) => Math.abs(effect)));
  at("words").replaceChildren(
    ...words.map(({ word, effect }) => {
      const strong = effect !== null && Math.abs(effect) >= NOTICEABLE;
      const chip = make("li", strong ? (effect > 0 ? "up" : "down") : "");
      chip.append(make("span", "", cut(word, SHOWN_WORD)), make("small", "", points(effect)));
      chip.style.setProperty("--strength", strong ? 0.08 + 0.42 * (Math.abs(effect) / full) : 0);
      return chip;
    }),
  );
  const rest = left ? ` ${plural(left, "word")} after the first ${words.length} were not left out.` : "";
  at("words-note").textContent = `Points of the score that go when the word is left out: + leads to clickbait, ${MINUS} to news.${rest}`;
  const other = variants.filter((variant) => classOf(variant.score, state.model?.unsure) !== kind);
  at("variants-note").textContent = other.length
    ? `${other.length} of ${variants.length} ${other.length === 1 ? "is" : "are"} no longer ${kind}: ${other.map(({ name }) => name).join("; ")}.`
    : `All ${variants.length} are still ${kind}.`;
  at("variants").tBodies[0].replaceChildren(
    ...variants.map((variant) => {
      const row = make("tr");
      const name = make("th", "", variant.name);
      name.scope = "row";
      const same = variant.text === selectedText();
      name.append(make("span", "", same ? "nothing to change" : cut(marked(variant.text), 400)));
      const scored = make("td", "n", percent(variant.score));
      const named = classOf(variant.score, state.model?.unsure);
      scored.append(make("small", `class ${named}`, named));
      const change = variant.score === null || value === null ? null : variant.score - value;
      row.append(name, scored, make("td", "n", points(change)));
      return row;
    }),
  );
}

/** Makes white space at the ends of a text visible. */
function marked(text) {
  const signs = { " ": "\u2423", "\t": "\u21e5", "\n": "\u21b5", "\u00a0": "\u237d" };
  return text.replace(/^\s+|\s+$/g, (ends) => [...ends].map((sign) => signs[sign] ?? sign).join(""));
}

// A file

/**
 * Reads RFC 4180 with a first line of column names; blank lines are no rows.
 *
 * Returns { columns, rows }, a list of fields each. Throws a Trouble that names the line where a row begins.
 */
export function parseCsv(text) {
  const records = [];
  const plain = /[^,\r\n]*/y;
  let place = 0, line = 1;
  const refuse = (begin, received, way) => {
    throw new Trouble(0, `Line ${begin.toLocaleString("en")}: ${received} ${way}`);
  };
  while (place < text.length) {
    const fields = [], begin = line;
    let quoted = false;
    for (;;) {
      let field = "";
      if (text[place] === '"') {
        quoted = true;
        for (let from = place + 1; ; ) {
          const end = text.indexOf('"', from);
          if (end < 0) refuse(begin, "a quote must be closed. Received: one that is not.", "Close it, and double the quotes inside a field.");
          field += text.slice(from, end);
          if (text[end + 1] !== '"') {
            place = end + 1;
            break;
          }
          field += '"';
          from = end + 2;
        }
        if (place < text.length && !",\r\n".includes(text[place])) refuse(begin, `a comma must follow a closed quote. Received: ${text[place]}.`, "Double the quotes inside a field.");
        line += field.match(/\r\n|\r|\n/g)?.length ?? 0;
      } else {
        plain.lastIndex = place;
        field = plain.exec(text)[0];
        place += field.length;
      }
      if (field.length > MOST_FIELD) refuse(begin, `a field must have at most ${MOST_FIELD.toLocaleString("en")} characters. Received: more.`, "Close each quote.");
      fields.push(field);
      if (text[place] !== ",") break;
      place += 1;
    }
    place += text.startsWith("\r\n", place) ? 2 : 1;
    line += 1;
    if (fields.length > 1 || fields[0] || quoted) records.push({ begin, fields });
  }
  const [header, ...rows] = records;
  if (!header) throw new Trouble(0, "A CSV must have a first line of column names. Received: an empty file.");
  const columns = header.fields;
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice !== undefined) throw new Trouble(0, `Column names must be unique. Received: \u201c${twice}\u201d more than once. Rename one.`);
  for (const { begin, fields } of rows) {
    if (fields.length !== columns.length) refuse(begin, `a row must have the header\u2019s ${plural(columns.length, "field")}. Received: ${fields.length}.`, "Quote fields that hold commas or line breaks.");
  }
  return { columns, rows: rows.map(({ fields }) => fields) };
}

const FORMULA = /^'*[=+\-@\t\r]/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Returns rows as a CSV in which no cell is a formula for a spreadsheet, as `serving.untrusted.inert_cell` has it. */
export function csvLines(rows) {
  const cell = (text) => (FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text);
  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => `${row.map((text) => quote(cell(text))).join(",")}\n`);
}

let job = null;

async function open(file) {
  job?.control.abort();
  job = null;
  show(at("file-trouble"), "");
  at("job").hidden = true;
  try {
    if (file.size > MOST_BYTES) throw new Trouble(0, `A file on this page must have at most ${MOST_BYTES >> 20} MB. Received: ${Math.ceil(file.size / (1 << 20))} MB. Type \`clickbait predict --input FILE --output scores.csv\`.`);
    let text;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    } catch {
      throw new Trouble(0, "A CSV must be UTF-8. Received: other bytes. Save it as \u201cCSV UTF-8\u201d, unpacked.");
    }
    if (text.includes("\0")) throw new Trouble(0, "A CSV must hold text. Received: a NUL byte. Save it as UTF-8.");
    const table = parseCsv(text);
    at("file-name").textContent = file.name;
    const choice = at("column");
    choice.replaceChildren(...table.columns.map((name) => new Option(name, name)));
    const usual = state.model?.columns.text ?? "title";
    const index = table.columns.length === 1 ? 0 : table.columns.indexOf(usual);
    if (index < 0) choice.prepend(new Option("choose one", "", true, true));
    choice.onchange = () => begin(file.name, table, table.columns.indexOf(choice.value));
    at("job").hidden = false;
    choice.selectedIndex = Math.max(index, 0);
    if (index >= 0) begin(file.name, table, index);
    else {
      showJob("Which column has the headlines?");
      choice.focus();
    }
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    show(at("file-trouble"), `${file.name}: ${error.message}`);
  }
}

function showJob(message) {
  const moving = Boolean(job?.moving);
  at("counted").textContent = message;
  at("bar").hidden = !job || (!moving && job.done === job.table.rows.length);
  at("stop").hidden = !moving;
  at("go-on").hidden = !job || moving || job.done === job.table.rows.length;
}

function begin(name, table, index) {
  job?.control.abort();
  if (index < 0) return;
  URL.revokeObjectURL(at("download").href);
  at("download").hidden = true;
  at("shares").replaceChildren();
  show(at("file-trouble"), "");
  at("progress").max = Math.max(table.rows.length, 1);
  at("progress").value = 0;
  job = { name, table, index, model: null, scores: new Array(table.rows.length), done: 0, control: new AbortController(), moving: false };
  goOn(job);
}

/** Scores the rows that have no score yet: all of a file by one version, some calls at a time. */
async function goOn(mine) {
  const { table, index, scores, control } = mine;
  const count = table.rows.length;
  mine.moving = true;
  show(at("file-trouble"), "");
  const started = performance.now();
  let reported = -1_000;
  const report = (waiting = "") => {
    if (job !== mine) return;
    at("progress").value = mine.done;
    // Often enough to be seen, and not to fill a reader's ears.
    if (waiting || mine.done === count || performance.now() - reported > 500) {
      reported = performance.now();
      showJob(`${mine.done.toLocaleString("en")} of ${plural(count, "row")}${waiting}`);
    }
  };
  try {
    const facts = await ask("/demo", undefined, control.signal);
    mine.model ??= facts;
    const clash = [mine.model.columns.score, ...(mine.model.unsure ? [mine.model.columns.class] : [])].find((name) => table.columns.includes(name));
    if (clash) throw new Trouble(400, `The file must have no column \u201c${clash}\u201d, which the download adds. Received: a file with it. Rename that column.`);
    report();
    const left = [];
    for (let row = 0; row < count; row += 1) if (scores[row] === undefined) left.push(row);
    let from = 0;
    const groups = [];
    for (const texts of batches(left.map((row) => table.rows[row][index]))) {
      groups.push({ texts, rows: left.slice(from, (from += texts.length)) });
    }
    const next = groups.values();
    const work = async () => {
      for (const { texts, rows } of next) {
        const values = await patiently(() => score(mine.model, texts, control.signal), report, control.signal);
        rows.forEach((row, number) => (scores[row] = values[number]));
        mine.done += rows.length;
        report();
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, work));
    mine.moving = false;
    if (job === mine) finish(mine, performance.now() - started);
  } catch (error) {
    const stopped = control.signal.aborted;
    control.abort(); // the other calls that are under way
    mine.control = new AbortController();
    mine.moving = false;
    if (job !== mine) return;
    showJob(`Stopped after ${mine.done.toLocaleString("en")} of ${plural(count, "row")}`);
    if (stopped) return;
    if (!(error instanceof Trouble)) throw error;
    const gone = error.status === 404 && mine.model;
    if (gone) Object.assign(mine, { model: null, done: 0, scores: new Array(count) });
    show(at("file-trouble"), gone ? "The version must stay loaded until the file is scored. Received: one that was unloaded. Go on, which begins again with the one that answers now." : error.message);
  }
}

/** Calls again, later and later, where the server is away or busy. */
async function patiently(call, report, signal) {
  for (const wait of [...WAITS_MS, 0]) {
    try {
      return await call();
    } catch (error) {
      if (!wait || ![0, 429, 503, 504].includes(error.status)) throw error;
      report(", waiting for the server");
      await new Promise((resolve, reject) => {
        setTimeout(resolve, wait);
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    }
  }
}

function finish({ name, table, model, scores }, milliseconds) {
  const { unsure, columns, version } = model;
  const classes = scores.map((value) => classOf(value, unsure));
  const added = (row) => {
    const value = scores[row];
    const number = value === null ? "" : String(Number(value.toPrecision(9)));
    return unsure ? [number, value === null ? "" : classes[row]] : [number];
  };
  const header = [...table.columns, columns.score, ...(unsure ? [columns.class] : [])];
  const lines = csvLines([header, ...table.rows.map((fields, row) => [...fields, ...added(row)])]);
  const counts = Object.fromEntries(["news", "unsure", "clickbait", "?"].map((kind) => [kind, 0]));
  for (const kind of classes) counts[kind] += 1;
  at("shares").replaceChildren(
    ...["news", "unsure", "clickbait"].filter((kind) => counts[kind]).map((kind) => {
      const part = make("i", kind);
      part.style.setProperty("--share", counts[kind]);
      return part;
    }),
  );
  const parts = Object.entries(counts).filter(([kind, count]) => count || (kind !== "?" && (kind !== "unsure" || unsure)));
  const summary = parts.map(([kind, count]) => `${count.toLocaleString("en")} ${kind === "?" ? "without a score" : kind}`);
  showJob(`${plural(scores.length, "row")}: ${summary.join(", ")} \u00b7 version ${version} \u00b7 ${(milliseconds / 1_000).toFixed(1)}\u202fs`);
  const link = at("download");
  link.href = URL.createObjectURL(new Blob(lines, { type: "text/csv;charset=utf-8" }));
  link.download = `${name.replace(/\.csv$/i, "")}.scored.csv`;
  link.hidden = false;
}

// The page

at("texts").addEventListener("input", changed);
document.addEventListener("selectionchange", () => {
  if (document.activeElement !== at("texts")) return;
  const before = state.selected;
  readLines();
  if (state.selected !== before) changed();
});
at("examples").addEventListener("click", () => {
  const box = at("texts");
  box.value = [box.value.trimEnd(), ...EXAMPLES].filter(Boolean).join("\n");
  box.focus();
  const first = box.value.length - EXAMPLES.join("\n").length;
  box.setSelectionRange(first, first);
  changed();
});
at("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) open(target.files[0]);
  target.value = ""; // the same file may be chosen again
});
at("stop").addEventListener("click", () => job?.control.abort());
at("go-on").addEventListener("click", () => job && !job.moving && goOn(job));
const holdsFile = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!holdsFile(event)) return;
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("over");
  if (!holdsFile(event)) return;
  event.preventDefault();
  at("whole").scrollIntoView({ block: "nearest" });
  open(event.dataTransfer.files[0]);
});
document.addEventListener("visibilitychange", () => document.hidden || look());
look().then(changed);
