// What the server sends, from where this page was: nothing is missed and nothing comes twice.
//
// The browser connects again by itself and says what it had last. While nobody looks at the page there is no
// connection; when somebody does again, it goes on from the same place.

/** @typedef {"live" | "lost" | "paused"} State */

export class Stream {
  /** @type {EventSource | undefined} */ #source;
  /** @type {number | undefined} */ #retry;
  #last = "";
  #paused = false;

  /**
   * @param {string} address
   * @param {(message: any) => void} told
   * @param {(state: State) => void} stands
   */
  constructor(address, told, stands) {
    this.address = address;
    this.told = told;
    this.stands = stands;
    document.addEventListener("visibilitychange", () => this.#look());
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => event.persisted && this.#look());
    this.#look();
  }

  get paused() {
    return this.#paused;
  }

  set paused(paused) {
    this.#paused = paused;
    this.#look();
  }

  #look() {
    const wanted = !this.#paused && document.visibilityState === "visible";
    if (this.#paused) this.stands("paused");
    if (wanted && !this.#source) this.#open();
    if (!wanted) this.#close();
  }

  #open() {
    const source = new EventSource(this.address + (this.#last ? `?after=${encodeURIComponent(this.#last)}` : ""));
    this.#source = source;
    source.addEventListener("open", () => this.stands("live"));
    source.addEventListener("message", (event) => {
      this.#last = event.lastEventId;
      this.told(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      this.stands("lost");
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      this.#close();
      this.#retry = setTimeout(() => this.#look(), 3000);
    });
  }

  #close() {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = undefined;
  }
}
