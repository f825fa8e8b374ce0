// Looks every few seconds whether the room says something new. Without it the page has a link that does so.
"use strict";
(() => {
  const part = document.querySelector("[data-live]");
  if (!part) return;
  const isInUse = () =>
    (part.contains(document.activeElement) && document.activeElement.matches("input,select,button")) ||
    [...part.querySelectorAll("input:not([type=hidden])")].some((field) => field.value !== "");
  let last = part.innerHTML;
  setInterval(async () => {
    if (document.hidden || isInUse()) return;
    try {
      const address = new URL(location.href);
      address.searchParams.delete("said");
      const answer = await fetch(address, { headers: { "x-again": "1" } });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part.id);
      if (fresh && fresh.innerHTML !== last && !isInUse()) {
        last = fresh.innerHTML;
        part.replaceChildren(...fresh.childNodes);
      }
    } catch { /* the next look tries again */ }
  }, 5000);
})();
