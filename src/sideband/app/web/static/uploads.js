// Files and folders, chosen or dropped: sent in one request, without what the server would pass over.
import { showJob, showProblem } from "/static/jobs.js";

const form = document.getElementById("upload");
const drop = document.getElementById("drop");
const sending = document.getElementById("sending");
const sendingText = document.getElementById("sending-text");
const suffixes = new Set(form.dataset.suffixes.split(" "));
const mostFiles = Number(form.dataset.mostFiles);
const mostBytes = Number(form.dataset.mostBytes);
const passedOver = new Set(["__pycache__", "node_modules", "site-packages", "venv"]);

// -- what is sent --------------------------------------------------------------------------------

function suffix(name) {
  const at = name.lastIndexOf(".");
  return at > 0 ? name.slice(at).toLowerCase() : "";
}

// Within a folder; a file that is named by itself is always sent, and the server says why it is not read.
function wanted(path) {
  const parts = path.split("/");
  const name = parts.pop();
  return !name.startsWith(".") && suffixes.has(suffix(name)) && !parts.slice(1).some((one) => one.startsWith(".") || passedOver.has(one));
}

function send(files) {
  const chosen = files.filter(({ path }) => !path.includes("/") || wanted(path));
  const bytes = chosen.reduce((sum, { file }) => sum + file.size, 0);
  if (!chosen.length) return showProblem("There is no file of a kind that is read.");
  if (chosen.length > mostFiles) return showProblem(`These are ${chosen.length} files; send ${mostFiles} at most in one go.`);
  if (bytes > mostBytes) return showProblem(`These are ${megabytes(bytes)}; send ${megabytes(mostBytes)} at most in one go.`);
  const body = new FormData();
  for (const { file, path } of chosen) body.append("files", file, path);
  const request = new XMLHttpRequest(); // fetch does not tell how much is sent
  request.open("POST", form.action);
  request.setRequestHeader("accept", "application/json");
  request.responseType = "json";
  request.upload.onprogress = (event) => progress(chosen.length, event.loaded, event.total);
  request.onload = () => ended(request.response?.error ?? (request.response ? "" : `The server answered ${request.status}.`), request.response?.id);
  request.onerror = () => ended("The files could not be sent: the connection was lost.");
  progress(chosen.length, 0, bytes);
  request.send(body);
}

function progress(count, done, total) {
  sending.hidden = false;
  sending.querySelector("progress").value = total ? done / total : 0;
  sendingText.textContent = `Sending ${count} file${count > 1 ? "s" : ""}: ${megabytes(done)} of ${megabytes(total)}`;
}

function ended(error, id) {
  sending.hidden = true;
  showProblem(error);
  if (id) showJob(id);
}

function megabytes(bytes) {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 1 : 0)} MiB`;
}

// -- choosing ------------------------------------------------------------------------------------

for (const button of drop.querySelectorAll("[data-choose]")) {
  const input = document.getElementById(button.dataset.choose);
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    send([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
    input.value = "";
  });
}

// -- dropping ------------------------------------------------------------------------------------

let inside = 0;

addEventListener("dragenter", (event) => { if (hasFiles(event)) { inside += 1; drop.classList.add("over"); } });
addEventListener("dragleave", (event) => { if (hasFiles(event) && --inside <= 0) calm(); });
// Anywhere on the page: a file that misses the field would else be opened in place of the page.
addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
addEventListener("drop", async (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  calm();
  // Taken now: after the first wait the browser has let go of them.
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...event.dataTransfer.files].map((file) => ({ file, path: file.name }));
  try {
    send(entries.length ? (await Promise.all(entries.map(walk))).flat() : plain);
  } catch (error) {
    showProblem(`What was dropped cannot be read: ${error.message}`);
  }
});

function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}

function calm() {
  inside = 0;
  drop.classList.remove("over");
}

async function walk(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    if (path.includes("/") && !wanted(path)) return [];
    return [{ file: await new Promise((found, failed) => entry.file(found, failed)), path }];
  }
  if (path.includes("/") && (entry.name.startsWith(".") || passedOver.has(entry.name))) return [];
  const reader = entry.createReader();
  const found = [];
  // A reader gives some of a folder's entries at a time, and at last none.
  for (let some; (some = await new Promise((read, failed) => reader.readEntries(read, failed))).length; ) found.push(...some);
  return (await Promise.all(found.map(walk))).flat();
}
