// The list of jobs, kept as the server tells: what it sends is numbered, and a lost connection is taken up where it was.
const list = document.getElementById("jobs");
const blank = document.getElementById("blank");
const none = document.getElementById("no-jobs");
const model = document.getElementById("model");
const store = document.getElementById("store");
const connection = document.getElementById("connection");
const said = document.getElementById("said");
const number = new Intl.NumberFormat("en");

// -- cards ---------------------------------------------------------------------------------------

const cardOf = (id) => list.querySelector(`[data-job="${CSS.escape(id)}"]`);

function newCard(id) {
  const card = blank.content.firstElementChild.cloneNode(true);
  card.id = `job-${id}`;
  card.dataset.job = id;
  card.querySelector(".job-cancel").action = `/jobs/${id}/cancel`;
  list.prepend(card);
  none.hidden = true;
  return card;
}

function setField(card, name, text) {
  for (const place of card.querySelectorAll(`[data-field="${name}"]`)) place.textContent = text;
}

function setChunks(card, count) {
  card.dataset.chunks = count;
  setField(card, "chunks", number.format(count));
}

function setGauges(card, job) {
  for (const [name, text] of Object.entries(job.texts)) {
    const place = card.querySelector(`[data-text="${name}"]`);
    if (place.textContent !== text) place.textContent = text;
  }
  const bar = card.querySelector("progress");
  if (job.fraction === null) bar.removeAttribute("value");
  else bar.value = job.fraction;
}

function setSkipped(card, count) {
  setField(card, "skipped", number.format(count));
  card.querySelector(".job-problems").hidden = count === 0;
}

function addProblem(card, problem) {
  const item = document.createElement("li");
  const path = document.createElement("strong");
  const reason = document.createElement("span");
  path.textContent = problem.path;
  reason.textContent = problem.reason;
  reason.className = "quiet";
  item.append(path, " ", reason);
  card.querySelector("[data-problems]").append(item);
}

function setJob(job) {
  const card = cardOf(job.id) ?? newCard(job.id);
  card.dataset.state = job.state;
  setField(card, "title", job.title);
  card.querySelector("h3").title = job.title;
  card.querySelector("progress").ariaLabel = `Progress of ${job.title}`;
  setField(card, "state_text", job.state_text);
  setField(card, "message", job.message);
  card.querySelector('[data-field="message"]').hidden = !job.message;
  const cancel = card.querySelector(".job-cancel");
  if (job.final && cancel.contains(document.activeElement)) card.querySelector("h3").focus();
  cancel.hidden = job.final;
  cancel.querySelector("button").disabled = job.state === "stopping";
  setChunks(card, job.chunks);
  setSkipped(card, job.skipped);
  setGauges(card, job);
  return card;
}

// -- what is read out ----------------------------------------------------------------------------

const SAY_SECONDS = 6;
let waiting = "";
let timer = 0;

function say(text, now = false) {
  waiting = text;
  if (timer && !now) return;
  clearTimeout(timer);
  said.textContent = waiting;
  timer = setTimeout(() => {
    timer = 0;
    if (said.textContent !== waiting) say(waiting);
  }, SAY_SECONDS * 1000);
}

// -- what the server tells -----------------------------------------------------------------------

const told = {
  snapshot({ jobs, model, store }) {
    list.replaceChildren();
    for (const job of jobs.toReversed()) {
      const card = setJob(job);
      for (const problem of job.problems) addProblem(card, problem);
    }
    none.hidden = jobs.length > 0;
    told.model(model);
    told.store(store);
  },
  job(job) {
    setJob(job);
    say(`${job.title}: ${job.state_text}. ${job.final ? job.texts.outcome || job.message : ""}`, job.final);
  },
  progress(change) {
    const card = cardOf(change.id);
    if (!card) return;
    setChunks(card, Number(card.dataset.chunks) + change.items);
    setGauges(card, change);
    if (change.items && change.fraction !== null) {
      say(`${card.querySelector("h3").textContent}: ${Math.round(change.fraction * 100)} percent`);
    }
  },
  problem(problem) {
    const card = cardOf(problem.id);
    if (!card) return;
    setSkipped(card, problem.skipped);
    if (card.querySelectorAll("[data-problems] li").length < 200) addProblem(card, problem);
  },
  gone({ id }) {
    cardOf(id)?.remove();
  },
  model({ state, text }) {
    model.hidden = state === "ready";
    model.classList.toggle("bad", state === "failed");
    model.textContent = state === "loading" ? `${text} You can begin already.` : text;
  },
  store({ text }) {
    store.textContent = text;
  },
};

// -- the connection ------------------------------------------------------------------------------

let place = list.dataset.place;
let source = null;
let again = 0;

function show(state, text) {
  connection.hidden = false;
  connection.dataset.state = state;
  connection.textContent = text;
}

function connect() {
  clearTimeout(again);
  source?.close();
  const mine = (source = new EventSource(`/events?after=${encodeURIComponent(place)}`));
  mine.onopen = () => show("live", "Connected");
  mine.onerror = () => {
    show("lost", "Reconnecting …");
    // The browser itself gives up after an answer that is no stream, as a proxy may give one.
    if (mine.readyState === EventSource.CLOSED) again = setTimeout(connect, 2000);
  };
  for (const [kind, change] of Object.entries(told)) {
    mine.addEventListener(kind, (event) => {
      if (mine !== source) return;
      place = event.lastEventId;
      change(JSON.parse(event.data));
    });
  }
}

connect();
addEventListener("online", connect);
// A page that comes back from the browser's history has no connection any more.
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
addEventListener("pagehide", () => source?.close());

// -- buttons -------------------------------------------------------------------------------------

const problem = document.getElementById("problem");

export function showProblem(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

export function showJob(id) {
  cardOf(id)?.scrollIntoView({ block: "nearest" });
}

list.addEventListener("submit", send);
document.querySelector(".offers").addEventListener("submit", send);

async function send(event) {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(event.target.action, { method: "POST", headers: { accept: "application/json" } });
    const found = await answer.json();
    showProblem(found.error ?? "");
    if (found.id) showJob(found.id);
  } catch {
    showProblem("The server cannot be reached. Is it still running?");
  } finally {
    button.disabled = event.target.closest(".job")?.dataset.state === "stopping";
  }
}
