// Keeps a page true: clocks run, and parts that changed on the server are fetched again. Without it the page is whole.
"use strict";
(() => {
  const state = document.getElementById("live-state");
  const serverNow = document.querySelector("[data-now]");
  const ahead = serverNow ? Date.parse(serverNow.dataset.now) - Date.now() : 0;
  const words = (seconds) => {
    const whole = Math.max(Math.floor(seconds), 0);
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
    return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
  };
  const tick = () => {
    for (const clock of document.querySelectorAll("[data-since]")) {
      clock.textContent = words((Date.now() + ahead - Date.parse(clock.dataset.since)) / 1000);
    }
  };
  setInterval(tick, 1000);
  tick();

  // A part that somebody is typing in, or whose form was opened, stays until they have finished.
  const isInUse = (part) =>
    part.contains(document.activeElement) && document.activeElement.matches("input,textarea,select,button,summary") ||
    [...part.querySelectorAll("form details[open]")].length > 0 ||
    [...part.querySelectorAll("input:not([type=hidden]),textarea")].some((field) => field.value !== field.defaultValue);
  const replace = (fresh) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (!other || isInUse(part)) continue;
      const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
      for (const id of open) other.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
      if (other.innerHTML !== part.dataset.last) {
        part.dataset.last = other.innerHTML;
        part.replaceChildren(...other.childNodes);
      }
    }
    tick();
  };
  let busy = false, again = false;
  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const address = new URL(location.href);
      address.searchParams.delete("done");
      const answer = await fetch(address, { headers: { "accept": "text/html" } });
      if (answer.redirected && new URL(answer.url).pathname === "/sign-in") { location.assign("/sign-in"); return; }
      if (answer.ok) {
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
        state.textContent = `as of ${new Date().toLocaleTimeString()}`;
      } else {
        state.textContent = "the server cannot read its database; what you see is old";
      }
    } catch {
      state.textContent = "the server does not answer; what you see is old";
    }
    setTimeout(() => { busy = false; if (again) { again = false; refresh(); } }, 2000);
  };
  if (state && window.EventSource && document.querySelector("[data-live]")) {
    const source = new EventSource("/live");
    source.addEventListener("changed", refresh);
    source.addEventListener("error", () => { state.textContent = "the server does not answer; what you see is old"; });
    source.addEventListener("open", () => { state.textContent = "live"; });
  }
})();
