"""What is kept of responses, for their tenants to read and to go on from."""

from django.db import models


class KeptResponse(models.Model):
    """A response with all that was said before it, encrypted."""

    tenant_id = models.UUIDField(editable=False)
    name = models.CharField(max_length=128, editable=False)
    """The id by which its caller knows it."""
    kept_at = models.DateTimeField(db_index=True, editable=False)
    sealed = models.BinaryField()

    class Meta:
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=("tenant_id", "name"), name="usage_keptresponse_name"),)
        indexes = (models.Index(fields=("tenant_id", "-id"), name="usage_keptresponse_latest"),)

    def __str__(self) -> str:
        return self.name
