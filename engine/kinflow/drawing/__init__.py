"""One z-buffer for visibility, part maps, masks, overlays and contact sheets (numpy and OpenCV)."""
