// An answer, written into the page as it comes; its citations lead to the results.
const form = document.getElementById("ask");
const section = document.querySelector(".answer");

if (form) {
  const write = document.getElementById("write");
  const stop = document.getElementById("stop");
  const place = document.getElementById("answer");
  const state = document.getElementById("answer-state");
  const results = document.querySelectorAll(".result");
  let text = "";
  let drawn = 0;
  let stopped = null;

  const draw = () => {
    drawn = 0;
    place.replaceChildren(...linked(text, results.length));
  };

  const told = {
    piece(piece) {
      if (!text) state.textContent = "Writing …";
      text += piece.text;
      drawn ||= requestAnimationFrame(draw);
    },
    done({ summary, cited }) {
      state.textContent = summary;
      for (const number of cited) results[number - 1].classList.add("cited");
    },
    problem(problem) {
      state.textContent = problem.text;
      state.className = "note bad";
    },
  };

  const begin = () => {
    text = "";
    draw();
    write.hidden = true;
    stop.hidden = false;
    if (document.activeElement === write || document.activeElement === document.body) stop.focus();
    place.hidden = state.hidden = false;
    place.classList.add("writing");
    state.className = "quiet small num";
    state.textContent = "Reading the results …";
    for (const result of results) result.classList.remove("cited");
  };

  const end = () => {
    draw();
    place.classList.remove("writing");
    place.hidden = !text;
    const focused = document.activeElement === stop;
    stop.hidden = true;
    write.hidden = false;
    write.textContent = "Write it again";
    if (focused) write.focus();
  };

  const ask = async () => {
    begin();
    stopped = new AbortController();
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { accept: "text/event-stream" },
        signal: stopped.signal,
      });
      if (!answer.headers.get("content-type").startsWith("text/event-stream")) told.problem({ text: (await answer.json()).error });
      else for await (const { kind, data } of events(answer.body)) told[kind]?.(data);
      if (state.textContent === "Writing …") throw new Error("the answer broke off");
    } catch (error) {
      if (stopped.signal.aborted) state.textContent = "Stopped.";
      else told.problem({ text: "The connection was lost before the answer was whole. Write it again." });
    }
    end();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  stop.addEventListener("click", () => stopped.abort());
  if ("atOnce" in section.dataset) ask();
}

// Text and citations of an answer as nodes: text is never markup here.
function linked(text, passages) {
  return text.split(/(\[\d{1,3}\])/).map((part) => {
    const number = Number(/^\[(\d+)\]$/.exec(part)?.[1]);
    if (!(number >= 1 && number <= passages)) return document.createTextNode(part);
    const link = document.createElement("a");
    link.href = `#result-${number}`;
    link.textContent = part;
    link.ariaLabel = `Result ${number}`;
    return link;
  });
}

// The events of a stream that was asked for with POST, which EventSource cannot.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let left = "";
  for (let read; !(read = await reader.read()).done; ) {
    const whole = (left + read.value).split("\n\n");
    left = whole.pop();
    for (const event of whole) {
      const kind = /^event: (.*)$/m.exec(event)?.[1];
      const data = [...event.matchAll(/^data: (.*)$/gm)].map((line) => line[1]).join("\n");
      if (kind && data) yield { kind, data: JSON.parse(data) };
    }
  }
}
