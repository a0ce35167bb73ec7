"""Words, marks and pages: what people read."""
