"""How the shipped weights were made: deposits drawn on real films, two small networks, one command."""
