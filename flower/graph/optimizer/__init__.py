"""Rules that make a graph cheaper to run and change nothing that it gives: one rule a file, their order is data."""
