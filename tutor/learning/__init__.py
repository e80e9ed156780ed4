"""Rules of learning: drawing, grading, standing, time. Pure: no clock, no randomness, no I/O."""
