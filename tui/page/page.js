"use strict";
for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => window.location.assign("/"));
}

// textual.js measures a letter once, when the page is loaded: the fonts have to be there by then, or
// lines do not meet and words run into each other.
const begin = window.onload;
window.onload = async (event) => {
  await Promise.allSettled([...document.fonts].map((font) => font.load()));
  begin.call(window, event);
};

// The first key is the app's: nobody should have to click on it first.
function focus() {
  if (document.body.classList.contains("-first-byte")) {
    document.querySelector(".xterm-helper-textarea")?.focus();
  }
}
new MutationObserver(focus).observe(document.body, { attributeFilter: ["class"] });
window.addEventListener("focus", focus);
