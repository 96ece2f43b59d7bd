// A Run button below each example that can run in a browser. The first press loads Python, in a worker.
"use strict";

(() => {
  const script = document.currentScript;
  // A page that was opened as a file must not start a worker.
  if (location.protocol === "file:") return;

  let worker = null;
  // Stops the example that is running, if there is one.
  let stop = null;

  for (const block of document.querySelectorAll(".runs")) {
    const code = block.querySelector("pre").textContent;
    const button = document.createElement("button");
    button.className = "run";
    button.textContent = "Run";
    const output = document.createElement("pre");
    output.className = "run-output";
    output.setAttribute("aria-live", "polite");
    block.append(button, output);
    button.onclick = () => {
      const isRunning = button.textContent === "Stop";
      stop?.();
      if (!isRunning) run(code, button, output);
    };
  }

  function run(code, button, output) {
    const pyodide = new URL(script.dataset.pyodide, document.baseURI);
    const wheel = new URL(script.dataset.wheel, script.src);
    const ended = () => {
      button.textContent = "Run";
      stop = null;
    };
    stop = () => {
      worker.terminate();
      worker = null;
      output.append("Stopped.\n");
      ended();
    };
    button.textContent = "Stop";
    output.textContent = "";
    if (worker === null) {
      worker = new Worker(new URL("run_worker.js", script.src), { type: "module" });
      output.textContent = `Loading Python from ${pyodide.host} …\n`;
    }
    worker.onmessage = ({ data: { what, text } }) => {
      if (what === "started") output.textContent = "";
      if (what === "ended") ended();
      if (what === "printed") output.append(text);
      if (what === "failed") {
        output.append(text);
        stop();
      }
    };
    worker.postMessage({ code, pyodide: pyodide.href, wheel: wheel.href });
  }
})();
