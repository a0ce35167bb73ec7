"""What a run leaves behind: masks, tables, journal, folder."""
