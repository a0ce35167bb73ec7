"""What things are: frozen values, no behaviour beyond their own arithmetic."""
