"""What a promise costs, measured against everything that does the same work without one: see README.md."""
