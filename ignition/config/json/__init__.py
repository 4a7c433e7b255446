"""JSON text to the model of the config language, and back."""
