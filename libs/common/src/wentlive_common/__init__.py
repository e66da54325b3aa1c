"""What every Wentlive service shares, so that they agree on words, events and manners."""
