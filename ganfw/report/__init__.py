"""Reports: one HTML page that shows a run, or compares several. Nothing here imports torch."""
