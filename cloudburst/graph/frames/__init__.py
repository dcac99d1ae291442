"""What is known of pandas' frames without pandas: which columns an op needs of a frame, and which rows it may lack."""
