"""Pictures in: a file becomes an `Image`."""
