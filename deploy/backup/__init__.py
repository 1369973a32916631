"""Backup and restore of one deployment: what is in an archive, and why it fits together, stands in docs/adr/0016-backup.md."""
