"""HTTP and HTTPS: one client over requests."""
