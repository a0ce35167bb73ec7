"""The pencil: films and photos whose answer is known."""
