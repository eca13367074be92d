// The live view: what the server streams, drawn a few times a second at most.

import { Batches } from "./batches.js";
import { Details } from "./details.js";
import { Figures } from "./figures.js";
import { running, Store } from "./store.js";
import { Stream } from "./stream.js";
import { element, Tree } from "./tree.js";
import { compact } from "./words.js";

/** @typedef {import("./store.js").Run} Run */

const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const live = find("live");
const root = live.dataset.root ?? "";
const state = JSON.parse(live.dataset.state ?? "{}");
const form = /** @type {HTMLFormElement} */ (document.getElementById("filters"));
const store = new Store();
const figures = new Figures(live);

/** @returns {import("./store.js").Filter} */
function filter() {
  const given = new FormData(form);
  const value = (/** @type {string} */ name) => String(given.get(name) ?? "");
  return { kind: value("kind"), outcome: value("outcome"), name: value("name"), metadata: value("metadata") };
}

/** @type {Run[]} the outermost runs that are shown */
let outermost = [];
/** @type {Run[] | undefined} what they were when the list was left alone */
let held;
/** @type {HTMLElement | undefined} */
let more;

const tree = new Tree(find("grid"), store, {
  select: (run, focus) => select(run.id, focus),
  toggle: (run, open) => {
    store.open(run, open);
    drawRuns();
  },
  moved: () => {
    if (tree.atTop && held && !tree.focused) {
      held = undefined;
      soon();
    }
  },
});
const batches = new Batches(find("batches"), store, (run) => select(run.id));
const details = new Details(find("details"), root, {
  select: (id) => select(id),
  close: () => {
    select(undefined);
    tree.focus();
  },
});

// -- drawing ----------------------------------------------------------------------------------------

let drawing = false;

/** Draw once, however much came. */
function soon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  if (!store.totals) return;
  figures.draw(store.totals, store.now());
  batches.draw();
  drawRuns();
}

/** What is read is not moved: away from the top, or with the keyboard in it, the list keeps its order. */
function order(/** @type {Run[]} */ roots) {
  if (tree.atTop && !tree.focused) {
    held = undefined;
    return { roots, above: 0 };
  }
  held ??= outermost;
  const there = new Map(roots.map((run) => [run.number, run]));
  const kept = held.map((run) => there.get(run.number)).filter((run) => run !== undefined);
  const known = new Set(held.map((run) => run.number));
  return { roots: kept, above: roots.filter((run) => !known.has(run.number)).length };
}

function drawRuns() {
  const found = store.matching(filter());
  const { roots, above } = order(store.roots(found?.shown));
  outermost = roots;
  const lines = store.lines(roots, found);
  tree.show(lines, store.byId.get(details.id ?? "")?.number);
  drawMore(above);
  drawKept(found ? found.hits.size : store.runs.size);
  drawEmpty(lines.length === 0);
}

/** @param {number} above */
function drawMore(above) {
  if (!above) {
    more?.remove();
    more = undefined;
    return;
  }
  if (!more) {
    more = element("button", "primary small more");
    more.setAttribute("type", "button");
    more.addEventListener("click", () => {
      held = undefined;
      tree.grid.scrollTop = 0;
      /** @type {HTMLElement} */ (document.activeElement)?.blur();
      draw();
    });
    find("grid").append(more);
  }
  more.textContent = `↑ ${compact(above)} new`;
}

/** @param {number} count */
function drawKept(count) {
  const totals = store.totals;
  const said = [`${compact(count)} of ${compact(totals.runs)} run${totals.runs === 1 ? "" : "s"}`];
  if (totals.dropped_runs) said.push(`${compact(totals.dropped_runs)} older ones dropped, since ${compact(totals.most)} are kept`);
  if (totals.dropped_payloads) said.push(`${compact(totals.dropped_payloads)} kept without payload`);
  if (state.capture !== "on") said.push(`payloads are ${state.capture}`);
  const text = said.join("; ");
  if (find("kept").textContent !== text) find("kept").textContent = text;
}

/** @param {boolean} empty */
function drawEmpty(empty) {
  let note = document.getElementById("nothing");
  if (empty && !note) {
    note = element("p", "empty");
    note.id = "nothing";
    find("grid").append(note);
  }
  if (note) {
    note.hidden = !empty;
    const text = store.runs.size ? "No run matches." : "No runs yet: what this program’s components do from now on appears here.";
    if (note.textContent !== text) note.textContent = text;
  }
}

// -- what is looked at is in the address, so that it can be shared ------------------------------------

/** @param {string | undefined} id */
function remember(id) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries({ ...filter(), run: id ?? "" })) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
  find("clear").hidden = !Object.values(filter()).some(Boolean);
}

/** @param {string | undefined} id @param {boolean} [focus] */
function select(id, focus = false) {
  remember(id);
  void details.show(id, focus);
  const run = id === undefined ? undefined : store.byId.get(id);
  for (let above = run && store.runs.get(run.parent ?? 0); above; above = store.runs.get(above.parent ?? 0)) store.open(above, true);
  drawRuns();
  if (run) tree.goTo(run.number);
}

/** Show what is looked for now, from the top. */
function anew() {
  held = undefined;
  outermost = store.roots(undefined);
  tree.grid.scrollTop = 0;
  remember(details.id);
  drawRuns();
}

/** The run that the address asks for; its line is gone to as soon as it is there. */
let asked = new URL(location.href).searchParams.get("run") ?? undefined;

let typing = 0;
form.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    anew();
  }, 120);
});
form.addEventListener("submit", (event) => event.preventDefault());
find("clear").addEventListener("click", () => {
  for (const field of form.querySelectorAll("input, select[name]")) /** @type {HTMLInputElement} */ (field).value = "";
  anew();
});
for (const button of form.querySelectorAll("[data-no-script]")) /** @type {HTMLElement} */ (button).hidden = true;

/** Go to the run that the address asks for, once. */
function arrive() {
  const id = asked;
  asked = undefined;
  if (id && id === details.id && store.byId.has(id)) requestAnimationFrame(() => select(id));
}

// -- the axis ------------------------------------------------------------------------------------------

const times = /** @type {HTMLSelectElement} */ (document.getElementById("times"));
find("times-label").hidden = false;
times.addEventListener("change", () => tree.align(times.value === "elapsed"));

// -- the stream ----------------------------------------------------------------------------------------

const words = { live: "Live", lost: "Connecting …", paused: "Paused" };
const connection = find("connection");
const stream = new Stream(
  `${root}/events`,
  (message) => {
    store.apply(message);
    if (!message.more) soon();
    if (!message.more && asked) arrive();
    const shown = message.rows.find((/** @type {Run} */ run) => run.id === details.id);
    if (shown) details.changed(!running(shown));
  },
  (stands) => {
    connection.dataset.state = stands;
    connection.textContent = words[stands];
  },
);
const pause = find("pause");
pause.hidden = false;
pause.addEventListener("click", () => {
  stream.paused = !stream.paused;
  pause.setAttribute("aria-pressed", String(stream.paused));
  pause.textContent = stream.paused ? "Go on" : "Pause";
});

if (asked) void details.show(asked);
remember(asked);
