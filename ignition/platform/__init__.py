"""What a provider may use, and what the image itself brings."""
