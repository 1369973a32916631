"""The ways into legacy systems. Nothing here contacts anything but the origin in the catalogue's record."""
