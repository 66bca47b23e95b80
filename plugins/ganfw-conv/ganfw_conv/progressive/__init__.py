"""Progressive growing: networks that start with small images, and the step that lets them grow."""
