"""One person's reading of a film: session, edits, history, journal, custody. No Qt, no napari."""
