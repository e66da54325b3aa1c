"""Pages for people: rendered here, kept fresh by one stream of server-sent events, usable without scripts."""
