"""How the site is built: python -m sphinx -nWE docs build/docs (warnings are errors)."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "aiopromise"
author = "The aiopromise authors"
project_copyright = "The aiopromise authors"
version = release = version_of("aiopromise")

extensions = ["myst_parser", "sphinx_copybutton", "reference", "names", "run_button"]
myst_enable_extensions = ["colon_fence"]
# The headings that a page can link to: [text](errors.md#what-catch-sees).
myst_heading_anchors = 3
exclude_patterns = ["_extensions"]

# What a signature names and this site does not describe: the standard library, and type variables.
nitpick_ignore_regex = [("py:.*", r"(?!aiopromise\.).*")]
python_display_short_literal_types = True
# A longer signature has a line for each parameter.
maximum_signature_line_length = 60
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "aiopromise"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
# Quotes stay as they were written.
smartquotes = False
copybutton_exclude = ".linenos, .gp, .go"

# The folder, with a slash at its end, that the Run button of an example gets Python from once it is pressed.
run_pyodide = "https://cdn.jsdelivr.net/npm/pyodide@314.0.7/"
