"""``python -m mlxjsd``."""

from mlxjsd.cli import main

if __name__ == "__main__":
    main()
