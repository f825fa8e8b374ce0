// Reads a file of codes into the field of the form, so that a file is sent like pasted text.
"use strict";
(() => {
  const row = document.getElementById("file-row"), file = document.getElementById("file");
  const lines = document.getElementById("lines");
  if (!row || !file || !lines) return;
  row.hidden = false;
  file.addEventListener("change", async () => {
    if (file.files.length) lines.value = await file.files[0].text();
  });
})();
