"""What nearly every table has."""

from django.db import models

from gateway.ids import uuid7


class IdentifiedModel(models.Model):
    """A row with an id that sorts by the moment it was made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
