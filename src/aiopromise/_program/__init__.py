"""The parts of `python -m aiopromise`, which uses the library as anybody does, from its front door.

The rooms, in reading order; each imports only from those before it:

- `screen`: what is said, at once
- `tour`: the three ways of chaining, as three programs
- `web`: one address of the web, and its answer
- `links`: the links of a page, and what is found about each
- `notebook`: where the findings are kept
- `site`: the embedded documentation server
"""
