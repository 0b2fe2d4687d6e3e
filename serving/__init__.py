"""The TF Serving side: the wire protocol, the client and the local server."""
