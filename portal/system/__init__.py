"""The platform's own state, as the system administrator and Prometheus are told of it: read, judged, and explained."""
