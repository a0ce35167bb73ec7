"""Lets ``python -m calcimeasure`` do what the command ``calcimeasure`` does."""

from calcimeasure.cli import main

if __name__ == "__main__":
    main()
