"""What the embedded books keep in SQLite; they read and write it in SQL of their own."""

from django.db import models


class Hold(models.Model):
    """A call in flight: what it may still spend, and then for an instant what it came to."""

    class State(models.IntegerChoices):
        """How far the call is."""

        OPEN = 0, "in flight"
        SWEPT = 1, "lease ended, booked at its bound"
        CLOSED = 2, "settled"

    slot = models.BigIntegerField(primary_key=True, editable=False)
    """A place that is written over again: the table stays as small as the most calls at once."""
    call_id = models.UUIDField(editable=False)
    lease_until_ms = models.BigIntegerField()
    record = models.BinaryField()
    tokens = models.BigIntegerField(default=0)
    state = models.PositiveSmallIntegerField(choices=State.choices, default=State.OPEN)

    class Meta:
        ordering = ("call_id",)

    def __str__(self) -> str:
        return str(self.call_id)


class Claim(models.Model):
    """An `Idempotency-Key`, and what became of its call."""

    key = models.CharField(max_length=64, primary_key=True, editable=False)
    """A hash of the tenant and the key."""
    body = models.CharField(max_length=64)
    """A hash of what was asked."""
    call_id = models.UUIDField()
    until_ms = models.BigIntegerField()
    answer = models.BinaryField(null=True)
    """Encrypted."""

    class Meta:
        ordering = ("until_ms",)

    def __str__(self) -> str:
        return str(self.call_id)


class Counter(models.Model):
    """What an account spent in one window."""

    account = models.CharField(max_length=400)
    window_start = models.BigIntegerField()
    ends = models.BigIntegerField()
    unit = models.CharField(max_length=16)
    spent = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("account", "window_start")
        constraints = (
            models.UniqueConstraint(fields=("account", "window_start"), name="usage_counter_window"),
        )

    def __str__(self) -> str:
        return f"{self.account}: {self.spent}"
