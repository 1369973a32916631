"""Looking after the brokers of a cluster."""
