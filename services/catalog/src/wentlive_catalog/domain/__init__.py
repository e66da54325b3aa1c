"""The catalog's own words and decisions: pure, so that they are tested without a store, a bus or a browser."""
