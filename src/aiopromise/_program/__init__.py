"""The parts of `python -m aiopromise`, which uses the library as anybody does, from its front door.

The rooms, in reading order; each imports only from those before it:

- `screen`: what is said, at once
- `interrupt`: Ctrl-C
- `tour`: the three ways of chaining, as three programs
- `addresses`: the one form in which an address is compared, and whose it is
- `options`: what the command line asks for
- `page`: where a page leads to
- `retry`: the same again, after a pause
- `web`: one address asked, and its answer
- `link`: one link, and what is found about it
- `record`: what is found, and what is still to be checked, in an SQLite file
- `report`: what is told while links are checked, and at the end
- `crawl`: a site, level by level
- `site`: the embedded documentation server
"""
