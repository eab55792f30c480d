"""What the doctor looks at in a data set folder, and how it judges."""
