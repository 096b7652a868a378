"""The data manifest: a line of JSON for each image of a data set, gathered by a look at every image."""
