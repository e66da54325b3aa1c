"""The recorder's ports over real technology."""
