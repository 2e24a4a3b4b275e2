"""Drawn packaging and drawn field views: numpy, OpenCV and Pillow only."""
