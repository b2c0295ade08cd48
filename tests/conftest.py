import os

# The encoder's weights come from the cache; nothing in the suite may reach for a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
