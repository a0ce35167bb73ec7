"""Many films at once: a folder, a trial, repeats."""
