"""Small old systems, so that the portal's connectors have something real to sign in to."""
