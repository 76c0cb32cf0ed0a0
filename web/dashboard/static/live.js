// Keeps what is shown up to date: asks the server for the same page again and puts in what changed.
// A page says how with attributes of its body: data-stream (told the moment something changes), data-pulse (asked where
// no stream is to be had), data-poll (asked again every so many seconds). Without this script every page works, once.
"use strict";

const SLOWLY = 3000; // milliseconds between two looks where there is no stream
const TOGETHER = 150; // milliseconds in which changes count as one

const page = document.body.dataset;
const drawn = new Map(); // id → what the server sent last: not what the reader has opened since
document.querySelectorAll("[data-live]").forEach((part) => drawn.set(part.id, part.outerHTML));

let asking = false, again = false, seen = Number(page.event || 0);

/** Whether the reader is in the middle of something here that must not be taken away. */
function inUse(part) {
  return part.contains(document.activeElement) && part.id === "orders" || part.querySelector(".order[open]") !== null;
}

function put(part, fresh) {
  if (drawn.get(part.id) === fresh.outerHTML || inUse(part)) return;
  drawn.set(part.id, fresh.outerHTML);
  const open = [...part.querySelectorAll("details[id]")].map((each) => [each.id, each.open]);
  const places = [...part.querySelectorAll(".scroll, .canvas")].map((each) => [each.scrollLeft, each.scrollTop]);
  const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  part.replaceWith(fresh);
  open.forEach(([id, was]) => { const each = document.getElementById(id); if (each) each.open = was; });
  [...fresh.querySelectorAll(".scroll, .canvas")].forEach((each, at) => {
    if (places[at]) [each.scrollLeft, each.scrollTop] = places[at];
  });
  if (focused) [...fresh.querySelectorAll("a[href]")].find((each) => each.getAttribute("href") === focused)?.focus({ preventScroll: true });
  if (fresh.dataset.say && fresh.dataset.say !== part.dataset.say) document.getElementById("told").textContent = fresh.dataset.say;
}

async function refresh() {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other) put(part, document.importNode(other, true));
    }
    document.title = fresh.title;
  } catch { /* the server is away: the next look may find it */
  } finally {
    asking = false;
    if (again) { again = false; setTimeout(refresh, TOGETHER); }
  }
}

async function look() {
  try {
    const found = await (await fetch(page.pulse)).json();
    if (found.event !== seen) { seen = found.event; await refresh(); }
    if (found.final) return;
  } catch { /* as above */ }
  setTimeout(look, SLOWLY);
}

function listen() {
  const stream = new EventSource(page.stream);
  stream.onmessage = (message) => {
    const found = JSON.parse(message.data);
    seen = found.event;
    if (found.final) stream.close();
    setTimeout(refresh, TOGETHER);
  };
  // Closed: all streams are taken, or there is nothing more to tell. Else the browser comes again by itself.
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) look(); };
  addEventListener("pagehide", () => stream.close());
}

if (page.stream) listen();
if (page.poll) setInterval(() => { if (!document.hidden) refresh(); }, page.poll * 1000);

// A link from another site does not bring the cookie along; a question from here does.
if (page.login) {
  fetch(page.login).then((answer) => answer.json()).then((state) => { if (state.loggedIn) location.replace(page.wanted); }).catch(() => {});
}

// A link into a step opens it, also a second time.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#step-"]');
  const step = link && document.getElementById(decodeURIComponent(link.getAttribute("href").slice(1)));
  for (let fold = step?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
});
