// Keys for those who look up all day: / finds, j and k go through a table's or timeline's links, [ and ] to the visit before and after.
"use strict";
const links = () =>
  [...document.querySelectorAll("tbody th a, .acts .time, tbody .time")].filter((link) => link.checkVisibility());
const step = (by) => {
  const all = links();
  const at = all.indexOf(document.activeElement);
  const to = at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by;
  if (all[to]) all[to].focus();
};
const follow = (rel) => document.querySelector(`a[rel=${rel}]`)?.click();
const keys = {
  "/": () => document.getElementById("q")?.select(),
  j: () => step(1),
  k: () => step(-1),
  "[": () => follow("prev"),
  "]": () => follow("next"),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
const copy = document.querySelector("button.copy");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href);
    copy.textContent = "Copied";
  });
}
