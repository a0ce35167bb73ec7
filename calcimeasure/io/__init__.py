"""The doors: only the files in this folder open files."""
