"""The TikTok edge: asks whether a creator is live, checks every payload, gives typed answers."""
