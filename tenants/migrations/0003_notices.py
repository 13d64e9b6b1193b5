"""A write to the configuration tells PostgreSQL's listeners."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from tenants.triggers import MOVE_FUNCTION


def _tell(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(MOVE_FUNCTION, None)


class Migration(migrations.Migration):
    """The function of the triggers, as it is now."""

    dependencies = (("tenants", "0002_triggers"),)
    operations = (migrations.RunPython(_tell, migrations.RunPython.noop),)
