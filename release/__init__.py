"""Tools of a release: check the distributions, pin the image's bases. Nothing of it is in the package."""
