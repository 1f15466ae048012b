"""mlxjsd."""
