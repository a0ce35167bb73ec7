"""What we do, in workflow order: segment, measure, overlay, report. Pure functions, strangers to each other."""
