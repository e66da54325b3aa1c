"""HLS as an input, for the lives that have no FLV."""
