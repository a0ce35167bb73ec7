"""The napari plugin of calcimeasure; nothing here, so that discovering it costs nothing."""
