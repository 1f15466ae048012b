"use strict";
for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => window.location.assign("/"));
}
