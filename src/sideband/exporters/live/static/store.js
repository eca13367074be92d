// The runs that the server has told of, as a tree; knows no page.

/**
 * @typedef {object} Run
 * @property {number} number counted in the order of the starts
 * @property {string} id
 * @property {string} kind
 * @property {string} name
 * @property {string} [type]
 * @property {number} started unix seconds
 * @property {number} [duration] seconds; none while it goes on
 * @property {string} [outcome]
 * @property {number} [parent]
 * @property {string} [error]
 * @property {number} [chunks]
 * @property {number} [time_to_first_chunk]
 * @property {number} [input_tokens]
 * @property {number} [output_tokens]
 * @property {number} [cost]
 * @property {number} [waiting]
 * @property {string[]} [links]
 * @property {string[]} [path]
 * @property {Record<string, string | number | boolean>} [metadata]
 * @property {Record<string, any>} [attributes]
 * @property {number} [dropped_children]
 */

/** @typedef {{kind: string, outcome: string, name: string, metadata: string}} Filter */

/** @typedef {{run: Run, depth: number, place: number, of: number, inside: number, open: boolean, around: boolean}} Line */

export const running = (/** @type {Run} */ run) => run.outcome === undefined;

const MANY = 40;

export class Store {
  /** @type {Map<number, Run>} */ runs = new Map();
  /** @type {Map<string, Run>} */ byId = new Map();
  /** @type {Map<number, Set<number>>} */ #inside = new Map();
  /** @type {Map<number, boolean>} */ #opened = new Map();
  /** @type {any} */ totals = null;
  /** Seconds by which the server's clock is ahead of ours. */
  ahead = 0;

  now() {
    return Date.now() / 1000 + this.ahead;
  }

  /** Take in what the server told. @param {any} message */
  apply(message) {
    if (message.anew) {
      this.runs.clear();
      this.byId.clear();
      this.#inside.clear();
    }
    this.ahead = message.now - Date.now() / 1000;
    this.totals = message.totals;
    for (const run of message.rows) this.#put(run);
    for (const number of message.dropped) this.#drop(number);
  }

  /** @param {Run} run */
  #put(run) {
    this.runs.set(run.number, run);
    this.byId.set(run.id, run);
    if (run.parent) {
      const around = this.#inside.get(run.parent);
      if (around) around.add(run.number);
      else this.#inside.set(run.parent, new Set([run.number]));
    }
  }

  /** @param {number} number */
  #drop(number) {
    const run = this.runs.get(number);
    if (!run) return;
    this.runs.delete(number);
    this.byId.delete(run.id);
    this.#inside.get(run.parent ?? 0)?.delete(number);
    this.#opened.delete(number);
    if (!this.#inside.get(number)?.size) this.#inside.delete(number);
  }

  /** @param {Run} run */
  end(run) {
    return run.duration === undefined ? this.now() : run.started + run.duration;
  }

  /** @param {Run} run */
  root(run) {
    let one = run;
    for (let above; one.parent && (above = this.runs.get(one.parent)); ) one = above;
    return one;
  }

  /** @param {Run} run @returns {Run[]} */
  children(run) {
    const found = [];
    for (const number of this.#inside.get(run.number) ?? []) {
      const child = this.runs.get(number);
      if (child) found.push(child);
    }
    return found.sort((one, other) => one.number - other.number);
  }

  /** @param {Run} run */
  isOpen(run) {
    return this.#opened.get(run.number) ?? (this.#inside.get(run.number)?.size ?? 0) <= MANY;
  }

  /** @param {Run} run @param {boolean} open */
  open(run, open) {
    this.#opened.set(run.number, open);
  }

  /**
   * The outermost runs that are shown: those going on, the newest first, then those that ended last.
   * @param {Set<number> | undefined} shown
   */
  roots(shown) {
    const found = [];
    for (const run of this.runs.values()) {
      if ((!run.parent || !this.runs.has(run.parent)) && (!shown || shown.has(run.number))) found.push(run);
    }
    const key = (/** @type {Run} */ run) => (running(run) ? 1e12 + run.started : run.started + (run.duration ?? 0));
    return found.sort((one, other) => key(other) - key(one) || other.number - one.number);
  }

  /**
   * What is looked for, and what is around it; nothing where everything is.
   * @param {Filter} filter
   */
  matching(filter) {
    const accepts = acceptor(filter);
    if (!accepts) return undefined;
    /** @type {Set<number>} */ const hits = new Set();
    /** @type {Set<number>} */ const shown = new Set();
    for (const run of this.runs.values()) {
      if (!accepts(run)) continue;
      hits.add(run.number);
      for (let one = /** @type {Run | undefined} */ (run); one && !shown.has(one.number); one = this.runs.get(one.parent ?? 0)) {
        shown.add(one.number);
      }
    }
    return { hits, shown };
  }

  /**
   * The lines of the tree.
   * @param {Run[]} roots
   * @param {{hits: Set<number>, shown: Set<number>} | undefined} found
   * @returns {Line[]}
   */
  lines(roots, found) {
    /** @type {Line[]} */ const lines = [];
    /** @type {(runs: Run[], depth: number) => void} */
    const add = (runs, depth) => {
      runs.forEach((run, index) => {
        let inside = this.#inside.has(run.number) ? this.children(run) : [];
        if (found) inside = inside.filter((child) => found.shown.has(child.number));
        const open = inside.length > 0 && this.isOpen(run);
        const around = found !== undefined && !found.hits.has(run.number);
        lines.push({ run, depth, place: index + 1, of: runs.length, inside: inside.length, open, around });
        if (open && depth < 60) add(inside, depth + 1);
      });
    };
    add(roots, 0);
    return lines;
  }
}

/** Tell which runs are looked for; nothing if all are. @param {Filter} filter */
export function acceptor(filter) {
  const name = filter.name.trim().toLowerCase();
  const wanted = filter.metadata.trim().toLowerCase();
  if (!filter.kind && !filter.outcome && !name && !wanted) return undefined;
  return (/** @type {Run} */ run) =>
    (!filter.kind || run.kind === filter.kind) &&
    (!filter.outcome || (run.outcome ?? "running") === filter.outcome) &&
    (!name || run.name.toLowerCase().includes(name)) &&
    (!wanted || hasMetadata(run.metadata ?? {}, wanted));
}

/** @param {Record<string, any>} metadata @param {string} wanted */
function hasMetadata(metadata, wanted) {
  const [key, ...rest] = wanted.split("=");
  const entries = Object.entries(metadata);
  if (!rest.length) return entries.some(([, value]) => String(value).toLowerCase().includes(wanted));
  const value = rest.join("=").trim();
  return entries.some(([name, one]) => name.toLowerCase() === key.trim() && String(one).toLowerCase() === value);
}
