"""The databases behind the watcher's store."""
