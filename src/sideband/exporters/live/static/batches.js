// Batches as boxes that fill up, each item in the colour of whose it is.

import { running } from "./store.js";
import { element } from "./tree.js";
import { compact, duration } from "./words.js";

/** @typedef {import("./store.js").Run} Run */

const SVG = "http://www.w3.org/2000/svg";
const BOXES = 24; // a serving
const CELLS = 64; // of larger batches a cell stands for several items
const SIDE = 7;
const WHOSE = ["user", "tenant", "customer", "team", "account", "session", "caller"];

export class Batches {
  /** @type {Map<string, number>} colours, in the order in which callers came */ #colours = new Map();
  /** @type {Map<string, HTMLElement>} */ #lanes = new Map();
  #drawn = "";

  /** @param {HTMLElement} section @param {import("./store.js").Store} store @param {(run: Run) => void} select */
  constructor(section, store, select) {
    this.section = section;
    this.store = store;
    this.lanes = /** @type {HTMLElement} */ (section.querySelector("#lanes"));
    this.callers = /** @type {HTMLElement} */ (section.querySelector("#callers"));
    section.addEventListener("click", (event) => {
      const box = event.target instanceof Element ? event.target.closest("button[data-number]") : null;
      const run = box instanceof HTMLElement ? store.runs.get(Number(box.dataset.number)) : undefined;
      if (run) select(run);
    });
  }

  draw() {
    /** @type {Map<string, {batches: Run[], calls: Run[], size: number}>} */ const servings = new Map();
    for (const run of this.store.runs.values()) {
      if (run.kind !== "Batch" && !(run.kind === "Serving" && run.waiting)) continue;
      const found = servings.get(run.name) ?? { batches: [], calls: [], size: 1 };
      servings.set(run.name, found);
      (run.kind === "Batch" ? found.batches : found.calls).push(run);
      found.size = Math.max(found.size, run.attributes?.max_batch_size ?? 0, run.kind === "Batch" ? run.attributes?.batch_size ?? 1 : 1);
    }
    this.section.hidden = servings.size === 0;
    for (const [name, lane] of this.#lanes) if (!servings.has(name)) lane.remove(), this.#lanes.delete(name);
    for (const [name, found] of servings) this.#lane(name, found.batches, found.calls, found.size);
    this.#legend();
  }

  /** @param {string} name @param {Run[]} batches @param {Run[]} calls @param {number} size */
  #lane(name, batches, calls, size) {
    let lane = this.#lanes.get(name);
    if (!lane) {
      lane = element("div", "lane");
      const label = element("div", "lane-name");
      label.append(name, element("small"));
      const boxes = element("div", "boxes");
      boxes.setAttribute("role", "group");
      boxes.setAttribute("aria-label", `Batches of ${name}, the latest first`);
      lane.append(label, boxes);
      this.lanes.append(lane);
      this.#lanes.set(name, lane);
    }
    const latest = batches.sort((one, other) => other.number - one.number).slice(0, BOXES);
    const filled = latest.reduce((sum, run) => sum + (run.attributes?.batch_size ?? 0), 0) / Math.max(latest.length, 1);
    const words = `${compact(batches.length)} ${batches.length === 1 ? "batch" : "batches"}, ${Math.round((100 * filled) / size)} % full`;
    /** @type {HTMLElement} */ (lane.querySelector("small")).textContent = words;
    const waiting = calls.flatMap((call) => Array(Math.min(call.waiting ?? 0, size)).fill(this.#caller(call)));
    const wanted = [{ key: `w${waiting.join()}`, make: () => this.#waiting(waiting, size) }].filter(() => waiting.length);
    for (const run of latest) {
      wanted.push({ key: `${run.number}${run.outcome}${size}`, make: () => this.#batch(run, size) });
    }
    place(/** @type {HTMLElement} */ (lane.querySelector(".boxes")), wanted);
  }

  /** @param {string[]} items @param {number} size */
  #waiting(items, size) {
    const box = element("div", "box");
    box.dataset.state = "waiting";
    box.append(this.#cells(items, size), `${compact(items.length)} waiting`);
    return box;
  }

  /** @param {Run} run @param {number} size */
  #batch(run, size) {
    const items = this.#items(run);
    const box = element("button", "box");
    box.setAttribute("type", "button");
    box.dataset.number = String(run.number);
    box.dataset.state = running(run) ? "executing" : run.outcome ?? "";
    const state = running(run) ? "running" : run.outcome === "ok" ? duration(run.duration) : run.outcome ?? "";
    const counts = new Map();
    for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
    const whose = [...counts].map(([caller, count]) => `${caller} ${count}`).join(", ");
    box.title = `${items.length} of ${size}: ${whose}`;
    box.setAttribute("aria-label", `Batch of ${items.length}, ${state}: ${whose}`);
    box.append(this.#cells(items, size), state);
    return box;
  }

  /** Whose each item of a batch is, as far as it is told. @param {Run} run */
  #items(run) {
    const size = run.attributes?.batch_size ?? 1;
    const links = run.links ?? [];
    /** @type {number[]} */ const counts = run.attributes?.items ?? [];
    const items = links.flatMap((id, place) => Array(counts[place] ?? 0).fill(this.#caller(this.store.byId.get(id))));
    while (items.length < size) items.push("others");
    return items.slice(0, size);
  }

  /** @param {Run | undefined} call */
  #caller(call) {
    if (!call) return "others";
    const metadata = call.metadata ?? {};
    const key = WHOSE.find((name) => name in metadata);
    return key ? String(metadata[key]) : this.store.root(call).name;
  }

  /** @param {string} caller */
  #colour(caller) {
    if (!this.#colours.has(caller)) this.#colours.set(caller, this.#colours.size % 8);
    return `caller-${this.#colours.get(caller)}`;
  }

  /** @param {string[]} items @param {number} size */
  #cells(items, size) {
    const each = Math.ceil(size / CELLS);
    const count = Math.ceil(size / each);
    const across = Math.min(count, Math.max(4, Math.ceil(Math.sqrt(count * 2))));
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("width", String(across * SIDE));
    svg.setAttribute("height", String(Math.ceil(count / across) * SIDE));
    svg.setAttribute("aria-hidden", "true");
    for (let place = 0; place < count; place++) {
      const cell = document.createElementNS(SVG, "rect");
      const item = items[place * each];
      cell.setAttribute("class", item === undefined ? "cell free" : `cell ${this.#colour(item)}`);
      const values = { x: (place % across) * SIDE, y: Math.floor(place / across) * SIDE, width: SIDE - 1.5, height: SIDE - 1.5, rx: 1.5 };
      for (const [key, value] of Object.entries(values)) cell.setAttribute(key, String(value));
      svg.append(cell);
    }
    return svg;
  }

  #legend() {
    const shown = [...this.#colours.keys()].slice(-12);
    if (shown.join("\n") === this.#drawn) return;
    this.#drawn = shown.join("\n");
    this.callers.replaceChildren(...shown.map((caller) => {
      const item = element("li");
      item.append(element("i", `dot ${this.#colour(caller)}`), caller);
      return item;
    }));
  }
}

/** Put boxes in order, keeping those that are there, so that the keyboard's place is not lost. @param {HTMLElement} parent @param {{key: string, make: () => HTMLElement}[]} wanted */
function place(parent, wanted) {
  const there = new Map([...parent.children].map((box) => [/** @type {HTMLElement} */ (box).dataset.key, /** @type {HTMLElement} */ (box)]));
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.number : undefined;
  const boxes = wanted.map(({ key, make }) => {
    const box = there.get(key) ?? make();
    box.dataset.key = key;
    return box;
  });
  if (boxes.length === parent.childElementCount && boxes.every((box, index) => parent.children[index] === box)) return;
  const kept = new Set(boxes);
  for (const box of [...parent.children]) if (!kept.has(/** @type {HTMLElement} */ (box))) box.remove();
  boxes.forEach((box, index) => parent.children[index] !== box && parent.insertBefore(box, parent.children[index] ?? null));
  if (focused) boxes.find((box) => box.dataset.number === focused)?.focus({ preventScroll: true });
}
