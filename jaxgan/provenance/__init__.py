"""What can be said of images and trainings afterwards: whose mark is in a file, of what it is a copy, and what a run has seen."""
