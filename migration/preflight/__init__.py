"""Read only: would this number get through? One check a file, a catalogue, a verdict."""
