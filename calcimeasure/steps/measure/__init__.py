"""How large and how dense each deposit is, and how far off that may be."""
