"""Text for people. Pure: values in, lines out; colour is added here and nowhere else."""
