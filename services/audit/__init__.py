"""The audit: takes every record in order, chains them, proves the chain, and shows it to the auditor alone."""
