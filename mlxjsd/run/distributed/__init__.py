"""Several processes that measure one run: by shares of its prompts, or by parts of its model."""
