"""The ledger: one row for every admitted call, for good."""

from django.db import models

from gateway.ids import uuid7


class LedgerEntry(models.Model):
    """What one call cost and how it went; added once, never changed, which triggers enforce.

    It holds names beside ids, not foreign keys: those would halve the drain, and a charge outlives its key.
    """

    class Status(models.TextChoices):
        """How the call ended."""

        SETTLED = "settled"
        FAILED = "failed"
        REFUNDED = "refunded"
        UNSETTLED = "unsettled", "charged at its bound"
        CACHED = "cached", "answered from the cache"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField()
    request_id = models.CharField(max_length=128)
    tenant_id = models.UUIDField()
    tenant = models.CharField(max_length=64)
    project_id = models.UUIDField(null=True, blank=True)
    project = models.CharField(max_length=64, blank=True)
    cost_centre = models.CharField(max_length=64, blank=True)
    key_id = models.UUIDField(null=True, blank=True)
    key = models.CharField(max_length=100, blank=True)
    end_user_id = models.UUIDField(null=True, blank=True)
    dialect = models.CharField(max_length=32)
    kind = models.CharField(max_length=16)
    status = models.CharField(max_length=16, choices=Status.choices)
    model_asked = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    provider_id = models.UUIDField(null=True, blank=True)
    provider = models.CharField(max_length=64, blank=True)
    deployment_id = models.UUIDField(null=True, blank=True)
    deployment = models.CharField(max_length=300, blank=True)
    meters = models.JSONField(default=dict, blank=True)
    cost_nano = models.BigIntegerField(default=0)
    charge_nano = models.BigIntegerField(default=0)
    lines = models.JSONField(default=list, blank=True)
    price_version = models.CharField(max_length=64, blank=True)
    estimated = models.BooleanField(default=False)
    attempts = models.JSONField(default=list, blank=True)
    latency_ms = models.IntegerField(default=0)
    ttft_ms = models.IntegerField("time to first token in ms", null=True, blank=True)
    overhead_us = models.IntegerField("gateway's own time in µs", default=0)
    sensitivity = models.CharField(max_length=64, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    corrects = models.UUIDField(null=True, blank=True, help_text="The entry that this one mends.")

    class Meta:
        verbose_name_plural = "ledger entries"
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("tenant_id", "id"), name="usage_entry_tenant"),
            models.Index(fields=("key_id", "id"), name="usage_entry_key"),
            models.Index(fields=("request_id",), name="usage_entry_request"),
        )

    def __str__(self) -> str:
        return f"{self.tenant} {self.request_id}"
