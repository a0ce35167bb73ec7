"""Two visits: laid on each other, deposits matched, and what changed."""
