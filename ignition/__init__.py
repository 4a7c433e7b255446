"""First-boot provisioning that speaks the Ignition config language exactly."""
