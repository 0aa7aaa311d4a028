"""A web page that asks models about photographs; needs Gradio, and nothing of TFX."""
