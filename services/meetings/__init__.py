"""Meetings: rooms that cannot be booked twice, notices, receipts."""
