"""What the embedded books keep in SQLite; they read and write it in SQL of their own."""

from django.db import models

from gateway.ids import uuid7


class Hold(models.Model):
    """An open hold: what a call in flight may still spend."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lease_until_ms = models.BigIntegerField(db_index=True)
    record = models.TextField()
    swept = models.BooleanField(default=False)
    """Booked at its bound when its lease ended; kept so that a late settle corrects that entry."""

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return str(self.id)


class Counter(models.Model):
    """What an account spent in one window."""

    account = models.CharField(max_length=200)
    window_start = models.BigIntegerField()
    ends = models.BigIntegerField()
    spent = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("account", "window_start")
        constraints = (
            models.UniqueConstraint(fields=("account", "window_start"), name="usage_counter_window"),
        )

    def __str__(self) -> str:
        return f"{self.account}: {self.spent}"
