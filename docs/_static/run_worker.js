// Runs examples one after another, in CPython that is compiled to WebAssembly. A worker may block: the page does not.
const tell = (what, text) => postMessage({ what, text });
let program = null;

async function load(pyodide, wheel) {
  const { loadPyodide } = await import(new URL("pyodide.mjs", pyodide));
  const print = (line) => tell("printed", `${line}\n`);
  const python = await loadPyodide({ indexURL: pyodide, stdout: print, stderr: print });
  await python.loadPackage(wheel, { messageCallback: () => {} });
  for (const name of ["typing_extensions.py", "run_worker.py"]) {
    const answer = await fetch(new URL(name, import.meta.url));
    python.FS.writeFile(name, await answer.text());
  }
  return python.pyimport("run_worker").run;
}

onmessage = async ({ data: { code, pyodide, wheel } }) => {
  try {
    program ??= await load(pyodide, wheel);
    tell("started");
    program(code);
    tell("ended");
  } catch (error) {
    tell("failed", `${error}\n`);
  }
};
