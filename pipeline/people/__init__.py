"""The directory of users, and links: who is behind an identifier. What they did is in `models`."""
