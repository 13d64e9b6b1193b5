"""One number that tells every process that the configuration changed."""

from django.db import models


class Revision(models.Model):
    """The single row whose number triggers raise on every configuration write."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="tenants_revision_single"),)

    def __str__(self) -> str:
        return str(self.number)
