"""What Flower does of the works."""
