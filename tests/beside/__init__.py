"""Programs with the packages that people run the library with: see docs/beside.md."""
