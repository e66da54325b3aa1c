"""A recorder's bench: real recorder processes among real neighbours, for tests and benchmarks that misuse them."""
