"""Getting out of a damaged run file what can be trusted."""
