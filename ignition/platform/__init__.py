"""Everything that a provider may use, and the image's own base configs."""
