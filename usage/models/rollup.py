"""Sums that reports read instead of the ledger."""

from uuid import UUID

from django.db import models

NOBODY = UUID(int=0)
"""Stands for an absent id: a null would slip through the unique constraint."""

_KEPT_APART = ("granularity", "starts_at", "tenant_id")
_SERVED = ("model", "provider", "meter")


class SummedModel(models.Model):
    """The columns that both kinds of sums share."""

    class Granularity(models.TextChoices):
        """How long a sum reaches."""

        HOUR = "hour"
        DAY = "day"

    granularity = models.CharField(max_length=4, choices=Granularity.choices)
    starts_at = models.DateTimeField()
    tenant_id = models.UUIDField()
    model = models.CharField(max_length=200, blank=True, default="")
    provider = models.CharField(max_length=64, blank=True, default="")
    meter = models.CharField(
        max_length=16, blank=True, default="", help_text="Empty on the one row that counts calls and errors."
    )
    calls = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    units = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    charge_nano = models.BigIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.granularity} of {self.starts_at:%Y-%m-%d %H:%M}"


class Rollup(SummedModel):
    """Sums of an hour or a day by who called what."""

    project_id = models.UUIDField(default=NOBODY)
    cost_centre = models.CharField(max_length=64, blank=True, default="")
    key_id = models.UUIDField(default=NOBODY)
    end_user_id = models.UUIDField(default=NOBODY)

    class Meta(SummedModel.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=(*_KEPT_APART, "project_id", "cost_centre", "key_id", "end_user_id", *_SERVED),
                name="usage_rollup_dimensions",
            ),
        )
        indexes = (
            models.Index(fields=("tenant_id", "granularity", "starts_at"), name="usage_rollup_tenant"),
        )


class TagRollup(SummedModel):
    """Sums of an hour or a day by one tag; a call with two tags is counted under both."""

    tag = models.CharField(max_length=64)
    value = models.CharField(max_length=200, blank=True, default="")

    class Meta(SummedModel.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=(*_KEPT_APART, "tag", "value", *_SERVED), name="usage_tagrollup_dimensions"
            ),
        )
        indexes = (
            models.Index(fields=("tenant_id", "granularity", "starts_at"), name="usage_tagrollup_tenant"),
        )
