"""Tokens of pictures have prices of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds two meters; no row changes."""

    dependencies = (("providers", "0003_platform_default"),)
    operations = (
        migrations.AlterField(
            model_name="price",
            name="meter",
            field=models.CharField(
                choices=[
                    ("input", "Input"),
                    ("cache_read", "Cache Read"),
                    ("cache_write_5m", "cache write, 5 minutes"),
                    ("cache_write_1h", "cache write, 1 hour"),
                    ("output", "Output"),
                    ("reasoning", "Reasoning"),
                    ("audio_in", "Audio In"),
                    ("audio_out", "Audio Out"),
                    ("image", "Image"),
                    ("request", "Request"),
                    ("search", "Search"),
                    ("audio_second", "Audio Second"),
                    ("image_in", "image in, by tokens"),
                    ("image_out", "image out, by tokens"),
                ],
                help_text="What is counted.",
                max_length=16,
            ),
        ),
    )
