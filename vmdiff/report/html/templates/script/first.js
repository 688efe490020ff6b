// What the script draws is shown when it is drawn, so that nothing moves under a reader's eyes.
(({ dataset }) => {
  dataset.waiting = "true";
  addEventListener("DOMContentLoaded", () => delete dataset.waiting);
})(document.documentElement);
