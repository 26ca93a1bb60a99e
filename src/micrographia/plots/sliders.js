// Sliders over strips of images: each image of a strip is a step, shown by moving the strip behind its frame.
function showStep(layer, step) {
  const steps = JSON.parse(layer.closest(".strip").dataset.steps);
  layer.style.backgroundPosition = `${(100 * step) / Math.max(1, steps.length - 1)}% 0`;
  return steps[step];
}

function setUpStrip(strip) {
  const input = strip.querySelector("input");
  if (!input) return;
  const layer = strip.querySelector(".layer");
  const show = () => {
    const step = showStep(layer, input.value);
    strip.querySelector("output").value = `${strip.dataset.axis}: ${step}`;
    input.setAttribute("aria-valuetext", step);
  };
  input.addEventListener("input", show);
  show();
}

function setUpComparison(comparison) {
  const [left, right] = comparison.querySelectorAll("select");
  const divider = comparison.querySelector("input");
  const show = () => {
    comparison.style.setProperty("--split", `${divider.value}%`);
    const [before, after] = [left, right].map((select) => select.selectedOptions[0].text);
    divider.setAttribute("aria-valuetext", `${divider.value} % ${before}, ${100 - divider.value} % ${after}`);
    for (const image of comparison.querySelectorAll(".image")) {
      showStep(image.querySelector(".left"), left.value);
      showStep(image.querySelector(".right"), right.value);
      image.setAttribute("aria-label", `${image.closest(".strip").dataset.name}: ${before} at the left, ${after} at the right`);
    }
  };
  for (const control of [left, right, divider]) control.addEventListener("input", show);
  show();
}

for (const strip of document.querySelectorAll(".strip")) setUpStrip(strip);
for (const comparison of document.querySelectorAll(".comparison")) setUpComparison(comparison);
