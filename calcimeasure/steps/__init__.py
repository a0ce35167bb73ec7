"""What we do, in the order of the work: anatomy, scale, outline, measure, change, agreement. Pure functions."""
