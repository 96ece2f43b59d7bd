"""What a promise costs, compared with everything that does the same work without one: see README.md."""
