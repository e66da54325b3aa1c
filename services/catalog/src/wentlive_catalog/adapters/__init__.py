"""What stands behind the catalog's ports."""
