"""One page that shows runs: a self-contained HTML file."""
