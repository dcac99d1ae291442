"""The graph: immutable expressions and the passes that optimize them. Pure: values in, values out."""
