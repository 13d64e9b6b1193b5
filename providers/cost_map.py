"""placeholder"""

SOURCE = "litellm"
