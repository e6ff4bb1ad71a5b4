"""The Dataflow Model as values and laws."""
